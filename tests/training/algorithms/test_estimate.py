"""What a run will need; expected numbers are derived by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.algorithms.builders import TINY, language_model, saved_model
from training.algorithms.batches import BatchOrder
from training.algorithms.config import (
    DPOConfig,
    FreshModelConfig,
    KTOConfig,
    PPOConfig,
    RewardConfig,
    SFTConfig,
)
from training.algorithms.estimate import (
    PROCESS_BYTES,
    DataShape,
    disk_parts,
    estimated,
    memory_parts,
    micro_batch_tokens,
    num_evaluations,
    steps,
    unlearnt_tokens,
    work,
)
from training.algorithms.loop import is_due, planned_steps
from training.algorithms.model_shape import ModelShape, fresh_shape, shape_of

DATA = DataShape(
    num_train=100,
    num_held_out=20,
    row_tokens=50,
    long_row=80,
    completion_tokens=30,
    longest_row=90,
    is_counted=True,
    num_bytes=7,
)
MODEL = ModelShape(num_parameters=1000, hidden_size=2, intermediate_size=3, num_layers=5, vocab_size=100)


@pytest.mark.parametrize(
    ("batch_size", "num_epochs", "max_steps"), [(32, 1, None), (32, 3, 5), (7, 2, None), (200, 1, 9)]
)
def test_steps_are_those_that_the_trainer_plans(batch_size: int, num_epochs: int, max_steps: int | None) -> None:
    config = SFTConfig(batch_size=batch_size, num_epochs=num_epochs, max_steps=max_steps)
    order = BatchOrder(lengths=[1] * DATA.num_train, batch_size=batch_size, seed=0)

    assert steps(config, DATA.num_train) == planned_steps(config, order.num_batches)


@pytest.mark.parametrize("eval_every", [0, 1, 3, 4, 10, 11])
def test_evaluations_are_those_that_the_loop_makes(eval_every: int) -> None:
    config, num_steps = SFTConfig(eval_every=eval_every), 10
    made = 1 + (1 if eval_every else 0)  # at the end, and before the first step
    made += sum(is_due(step, eval_every) for step in range(1, num_steps))

    assert num_evaluations(config, num_steps) == made


def test_a_backward_pass_counts_twice_and_references_once() -> None:
    sft = work("sft", SFTConfig(), DATA, steps(SFTConfig(), 100))
    dpo = work("dpo", DPOConfig(), DATA, steps(DPOConfig(), 100))
    kto = work("kto", KTOConfig(), DATA, steps(KTOConfig(), 100))

    assert sft == (6000, 3 * 5000 + 1000)
    assert dpo == (12000, 3 * 5000 + 1000 + 6000)
    assert kto == (17000, 4 * 5000 + 1000 + 6000)


def test_ppo_samples_scores_and_trains_two_networks() -> None:
    config = PPOConfig(batch_size=50, num_ppo_epochs=2)

    assert work("ppo", config, DATA, steps(config, 100))[1] == 5000 * (5 + 12) + 5 * 1000


def test_operations_leave_the_embedding_out_and_count_the_head_for_replies() -> None:
    found = estimated("sft", SFTConfig(), DATA, MODEL, speed=10.0)
    weights = (1000 - 2 * 200) + 0.6 * 200

    assert found.flops == pytest.approx(2 * 16_000 * weights)
    assert found.seconds == pytest.approx(2 * 16_000 * weights / 10)


def test_memory_is_weights_state_activations_and_logits() -> None:
    parts = memory_parts("sft", SFTConfig(batch_size=4, groups_by_length=False), DATA, MODEL)

    assert parts["weights"] == 4000
    assert parts["optimiser and gradients"] == 12_000
    assert parts["activations"] == 4 * 50 * 5 * (14 * 2 + 4 * 3) * 4
    assert parts["logits"] == 2 * 4 * 120 * 100 + 4 * 120 * 100  # 200 tokens, 120 of them of replies
    assert memory_parts("reward", RewardConfig(), DATA, MODEL)["logits"] == 0


def test_half_precision_keeps_masters_and_ppo_four_networks() -> None:
    half = memory_parts("sft", SFTConfig(dtype="bfloat16"), DATA, MODEL)
    ppo = memory_parts("ppo", PPOConfig(), DATA, MODEL)

    assert (half["weights"], half["optimiser and gradients"]) == (2000, 16_000)
    assert half["activations"] == 32 * 80 * 5 * ((10 * 2 + 4 * 3) * 2 + 4 * 2 * 4)  # norms stay in fp32
    assert (ppo["weights"], ppo["optimiser and gradients"]) == (16_000, 24_000)


@pytest.mark.parametrize(
    ("budget", "batch_size", "wanted"), [(16_384, 4, 200), (150, 4, 150), (60, 4, 90), (16_384, 1000, 5000)]
)
def test_the_largest_pass_is_a_budget_a_batch_or_the_longest_row(budget: int, batch_size: int, wanted: int) -> None:
    config = SFTConfig(micro_batch_tokens=budget, batch_size=batch_size, groups_by_length=False)

    assert micro_batch_tokens(config, DATA) == wanted


def test_batches_of_like_length_have_one_of_long_rows() -> None:
    assert micro_batch_tokens(SFTConfig(batch_size=4), DATA) == 4 * 80


def test_passes_that_nothing_is_learnt_from_fill_the_budget_and_keep_one_layer() -> None:
    config = DPOConfig(batch_size=1, groups_by_length=False)

    assert unlearnt_tokens("sft", SFTConfig(), DATA) == 20 * 50  # held-out rows
    assert unlearnt_tokens("dpo", config, DATA) == 120 * 50  # the reference reads every row
    assert unlearnt_tokens("dpo", DPOConfig(micro_batch_tokens=500), DATA) == 500
    assert memory_parts("dpo", config, DATA, MODEL)["activations"] == 120 * 50 * (14 * 2 + 4 * 3) * 4


def test_checkpoints_to_resume_from_are_kept_only_where_they_are_asked_for() -> None:
    once = disk_parts("dpo", DPOConfig(), DATA, MODEL)
    often = disk_parts("sft", SFTConfig(checkpoint_every=5), DATA, MODEL)

    assert once == {
        "final checkpoint": 4000,
        "checkpoints to resume from": 0,
        "data": 7,
        "reference cache": 8 * 120,
    }
    assert often["checkpoints to resume from"] == 2 * 1000 * (4 + 8)


def test_of_an_unknown_model_only_steps_and_tokens_are_known() -> None:
    found = estimated("sft", SFTConfig(), DATA, None, speed=1.0)

    assert (found.num_steps, found.num_tokens) == (4, 6000)
    assert found.as_json()["memory_bytes"] is found.seconds is found.least_memory is None


def test_what_no_setting_avoids_is_weights_and_state() -> None:
    found = estimated("sft", SFTConfig(), DATA, MODEL)

    assert found.least_memory == PROCESS_BYTES + 4000 + 12_000
    assert found.memory_bytes is not None
    assert found.memory_bytes > found.least_memory
    assert json.loads(json.dumps(found.as_json()))["memory_bytes"] == found.memory_bytes


def test_the_shape_of_a_folder_is_that_of_its_network(tmp_path: Path) -> None:
    folder = saved_model(tmp_path)
    network = language_model().network

    shape = shape_of(folder)

    assert shape is not None
    assert shape.num_parameters == sum(parameter.numel() for parameter in network.parameters())
    assert (shape.hidden_size, shape.num_layers, shape.context_tokens) == (16, 2, 64)
    assert shape.vocab_size == network.config.vocab_size
    assert not shape.is_tied


def test_a_fresh_model_is_as_large_as_the_one_that_the_trainer_makes() -> None:
    network = language_model().network
    wanted = fresh_shape(FreshModelConfig(**{**TINY, "vocab_size": network.config.vocab_size}))

    assert wanted.num_parameters == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("content", [None, "no JSON", "[]", '{"hidden_size": 4}'])
def test_a_folder_that_is_none_has_no_shape(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)

    assert shape_of(str(tmp_path)) is None
    assert shape_of("never/downloaded") is None
    assert shape_of("../../escape") is None


def test_weights_in_several_files_are_added_up(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"n_embd": 4, "n_layer": 2, "vocab_size": 10, "tie_word_embeddings": true}')
    for number in (1, 2):
        header = json.dumps({"__metadata__": {"format": "pt"}, "w": {"shape": [3, number]}}).encode()
        (tmp_path / f"model-{number}.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)

    shape = shape_of(str(tmp_path))

    assert shape is not None
    assert (shape.num_parameters, shape.intermediate_size, shape.is_tied) == (9, 16, True)
