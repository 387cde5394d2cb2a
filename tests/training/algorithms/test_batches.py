"""Layout invariance: no number may depend on who shares a batch, and heads look at the right tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.algorithms.builders import ask, language_model, reward_model, tokeniser, trees
from training.algorithms.batches import (
    BatchOrder,
    collate,
    completion_logps,
    completion_scores,
    completion_values,
    cut_by_tokens,
    lay_out,
    pick_up,
    sum_by_completion,
)
from training.algorithms.models import LanguageModel
from training.algorithms.tokenisation import TokenTree

PAD = 0


def plain_logps(model: LanguageModel, tree: TokenTree, number: int) -> list[float]:
    """Token by token from the network's own logits, one sequence, no batch."""
    completion = tree.completions[number]
    ids = torch.tensor([[*tree.prompt, *completion]])
    logps = torch.log_softmax(model.network(input_ids=ids).logits[0].double(), dim=-1)
    start = len(tree.prompt)
    return [logps[start + i - 1, token].item() for i, token in enumerate(completion)]


def summed(model: LanguageModel, batch: list[TokenTree], *, pad_id: int = PAD) -> list[float]:
    made = collate(batch, pad_id=pad_id)
    sums: list[float] = sum_by_completion(completion_logps(model, made).logps_N, made).tolist()
    return sums


@torch.no_grad()
def test_a_padded_batch_scores_each_token_as_the_network_alone_does() -> None:
    model, batch = language_model(), trees()
    found_N = completion_logps(model, collate(batch, pad_id=PAD)).logps_N
    expected = [logp for tree in batch for k in range(2) for logp in plain_logps(model, tree, k)]
    torch.testing.assert_close(found_N, torch.tensor(expected), atol=1e-5, rtol=0)


@torch.no_grad()
def test_order_batch_size_and_pad_token_do_not_matter() -> None:
    model, batch = language_model(), trees()
    together = summed(model, batch)
    assert summed(model, batch, pad_id=99) == pytest.approx(together, abs=1e-5)
    assert [x for tree in batch for x in summed(model, [tree])] == pytest.approx(together, abs=1e-5)
    reversed_pairs = [summed(model, batch[::-1])[i : i + 2] for i in (4, 2, 0)]
    assert [x for pair in reversed_pairs for x in pair] == pytest.approx(together, abs=1e-5)


@torch.no_grad()
def test_disturbing_one_completion_never_moves_another() -> None:
    model, batch = language_model(), trees()
    before = summed(model, batch)
    longer = TokenTree(prompt=batch[0].prompt, completions=((7, 8, 9, 7, 8, 9, 7), batch[0].completions[1]))
    after = summed(model, [longer, *batch[1:]])
    assert after[1:] == pytest.approx(before[1:], abs=1e-5)
    assert abs(after[0] - before[0]) > 1


@torch.no_grad()
def test_temperature_divides_the_logits() -> None:
    model, tree = language_model(), trees()[0]
    batch = collate([tree], pad_id=PAD)
    ids = torch.tensor([[*tree.prompt, *tree.completions[0]]])
    expected = torch.log_softmax(model.network(input_ids=ids).logits[0, len(tree.prompt) - 1] / 0.5, dim=-1)
    found = completion_logps(model, batch, temperature=0.5).logps_N[0]
    torch.testing.assert_close(found, expected[tree.completions[0][0]])


@torch.no_grad()
def test_the_reward_is_read_at_the_last_real_token_even_if_pads_look_like_it(tmp_path: Path) -> None:
    model, batch = reward_model(tmp_path), trees()
    stop_id = tokeniser().stop_id
    for pad_id in (PAD, stop_id):
        scores_C = completion_scores(model, collate(batch, pad_id=pad_id))
        rows = [[*tree.prompt, *completion] for tree in batch for completion in tree.completions]
        for index, row in enumerate(rows):
            ids = torch.tensor([row])
            hidden_1TD = model.backbone(input_ids=ids).last_hidden_state
            torch.testing.assert_close(scores_C[index], model.scores(hidden_1TD[:, -1])[0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_transformers_classifier_gives_the_same_score(tmp_path: Path) -> None:
    model, tree = reward_model(tmp_path), tokeniser().tree(ask("Say bee."), ["bee"])
    ids = torch.tensor([[*tree.prompt, *tree.completions[0]]])
    expected = model.network(input_ids=ids).logits[0, 0]
    torch.testing.assert_close(completion_scores(model, collate([tree], pad_id=PAD))[0], expected)


@torch.no_grad()
def test_values_are_read_before_each_token(tmp_path: Path) -> None:
    model, tree = reward_model(tmp_path), trees()[0]
    values_N = completion_values(model, collate([tree], pad_id=PAD))
    hidden_1TD = model.backbone(input_ids=torch.tensor([tree.prompt])).last_hidden_state
    torch.testing.assert_close(values_N[0], model.scores(hidden_1TD[:, -1])[0], atol=1e-5, rtol=0)


def test_token_counts_are_exact() -> None:
    batch = trees()
    made = collate(batch, pad_id=PAD)
    assert [tree.num_tokens for tree in batch] == [
        len(tree.prompt) + len(tree.completions[0]) + len(tree.completions[1]) for tree in batch
    ]
    assert len(made.targets_N) == sum(len(c) for tree in batch for c in tree.completions)


def test_laying_out_and_picking_up_are_inverse() -> None:
    made = collate(trees(), pad_id=PAD)
    values_N = torch.arange(1.0, len(made.targets_N) + 1)
    table_CL = lay_out(values_N, made)
    torch.testing.assert_close(pick_up(table_CL, made), values_N)
    assert table_CL.sum() == values_N.sum()


def test_micro_batches_stay_within_their_budget_and_lose_nobody() -> None:
    lengths = [5, 9, 2, 30, 4, 4]
    groups = list(cut_by_tokens(range(6), dict(enumerate(lengths)), max_tokens=20))
    assert [index for group in groups for index in group] == list(range(6))
    assert groups == [[0, 1], [2], [3], [4, 5]]
    assert all(len(group) == 1 or max(lengths[i] for i in group) * len(group) <= 20 for group in groups)


def test_a_row_of_trees_holds_what_its_sum_allows() -> None:
    lengths = dict(enumerate([5, 9, 2, 30, 4, 4]))
    assert list(cut_by_tokens(range(6), lengths, max_tokens=20, is_padded=False)) == [[0, 1, 2], [3], [4, 5]]


@pytest.mark.parametrize("groups_by_length", [True, False])
def test_every_epoch_sees_every_example_once_in_an_order_of_its_own(groups_by_length: bool) -> None:
    lengths = [7 * i % 23 for i in range(50)]
    order = BatchOrder(lengths=lengths, batch_size=8, seed=3, groups_by_length=groups_by_length)
    epochs = [[order.batch(epoch * order.num_batches + i) for i in range(order.num_batches)] for epoch in range(2)]
    for batches in epochs:
        assert sorted(index for batch in batches for index in batch) == list(range(50))
    assert epochs[0] != epochs[1]
    again = BatchOrder(lengths=lengths, batch_size=8, seed=3, groups_by_length=groups_by_length)
    assert again.epoch(1) == epochs[1]


def test_grouping_by_length_pads_less() -> None:
    lengths = [7 * i % 23 + 1 for i in range(50)]

    def padded(groups_by_length: bool) -> int:
        order = BatchOrder(lengths=lengths, batch_size=8, seed=0, groups_by_length=groups_by_length)
        return sum(len(batch) * max(lengths[i] for i in batch) for batch in order.epoch(0))

    assert padded(True) < padded(False)
