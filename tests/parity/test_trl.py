"""The same steps as TRL 1.16: losses within 1e-5, gradient norms within 1e-3, through both sides' real trainers."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.training.orders import demonstration_rows, labelled_rows, pair_rows
from tests.parity.conftest import LENGTHS, LORA, MANY, SHAPES, Bench, assert_same, pair
from tests.training.algorithms import builders
from training.algorithms import models
from training.algorithms.examples import LabelledReply
from training.algorithms.kto import matched_and_mismatched

pytestmark = pytest.mark.parity

# TRL has no conservative DPO, (1 - e) f(h) + e f(-h), but a weighted sum of its losses is one: the robust form is
# ((1 - e) f(h) - e f(-h)) / (1 - 2e), and 2 (1 - e) f(h) less (1 - 2e) times that leaves it; here e = .1.
CONSERVATIVE = {"loss_type": ["sigmoid", "robust"], "loss_weights": [1.8, -0.8], "label_smoothing": 0.1}
DPO_VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "conservative": ({"label_smoothing": 0.1}, CONSERVATIVE),
    "robust": ({"label_smoothing": 0.1, "robust": True}, {"label_smoothing": 0.1, "loss_type": ["robust"]}),
    "ipo": ({"loss": "ipo"}, {"loss_type": ["ipo"]}),
    "hinge": ({"loss": "hinge"}, {"loss_type": ["hinge"]}),
    "length_normalised": ({"length_normalised": True}, {"loss_type": ["sigmoid_norm"]}),
}


@pytest.mark.parametrize("layout", ["trees", "padded"])
@pytest.mark.parametrize("shape", SHAPES)
def test_dpo_takes_the_steps_of_trl(bench: Bench, shape: str, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if layout == "padded":
        monkeypatch.setattr(models, "let_read_trees", lambda network: None)
    pairs = SHAPES[shape]
    assert_same(bench.ours("dpo", pair_rows(pairs)), bench.trl("dpo", bench.rows().dpo(pairs)))


@pytest.mark.parametrize("variant", DPO_VARIANTS)
def test_the_relatives_of_dpo_take_the_steps_of_trl(bench: Bench, variant: str) -> None:
    ours, theirs = DPO_VARIANTS[variant]
    assert_same(bench.ours("dpo", pair_rows(MANY), **ours), bench.trl("dpo", bench.rows().dpo(MANY), **theirs))


def test_a_reference_computed_beforehand_is_the_same_to_both(bench: Bench) -> None:
    theirs = bench.trl("dpo", bench.rows().dpo(MANY), precompute_ref_log_probs=True)
    assert_same(bench.ours("dpo", pair_rows(MANY)), theirs)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_reward_model_takes_the_steps_of_trl(bench: Bench, shape: str) -> None:
    pairs = SHAPES[shape]
    assert_same(bench.ours("reward", pair_rows(pairs)), bench.trl("reward", bench.rows().reward(pairs)))


def test_a_centred_reward_model_takes_the_steps_of_trl(bench: Bench) -> None:
    theirs = bench.trl("reward", bench.rows().reward(MANY), center_rewards_coefficient=0.01)
    assert_same(bench.ours("reward", pair_rows(MANY), centring=0.01), theirs)


@pytest.mark.parametrize("shape", SHAPES)
def test_sft_takes_the_steps_of_trl(bench: Bench, shape: str) -> None:
    pairs = SHAPES[shape]
    theirs = bench.trl("sft", bench.rows().sft(pairs), completion_only_loss=True)
    assert_same(bench.ours("sft", demonstration_rows(pairs)), theirs)


def test_kto_takes_the_steps_of_trl(bench: Bench) -> None:
    rows = bench.rows().kto(MANY, batch_size=2 * len(MANY))
    replies = [
        LabelledReply(prompt=one.messages, completion=reply, is_desirable=is_desirable, weight=1.0)
        for one in MANY
        for reply, is_desirable in ((one.chosen, True), (one.rejected, False))
    ]
    # Which mismatched reply a prompt gets is nobody's rule: TRL is given ours.
    for row, tree in zip(rows, matched_and_mismatched(replies, builders.tokeniser(**LENGTHS)), strict=True):
        row["KL_completion_ids"] = list(tree.completions[1])
    weights = {"desirable_weight": 1.5, "undesirable_weight": 0.5}
    assert_same(bench.ours("kto", labelled_rows(MANY), **weights), bench.trl("kto", rows, **weights))


def test_simpo_takes_the_steps_of_trl(bench: Bench) -> None:
    settings = {"loss_type": "simpo", "cpo_alpha": 0.0, "beta": 2.0, "simpo_gamma": 0.5}
    ours = bench.ours("simpo", pair_rows(MANY), beta=2.0, target_margin=0.5)
    assert_same(ours, bench.trl("cpo", bench.rows().legacy(MANY), **settings))


def test_orpo_takes_the_steps_of_trl_where_its_likelihood_counts_the_same_tokens(bench: Bench) -> None:
    """TRL's likelihood counts the prompt's tokens too, and averages over all of a batch's: here prompts are cut down to
    their first token, which nobody predicts, and chosen replies are of one length."""
    pairs = [pair("?", f"{number} 1 2", f"{number} {number} 3 4") for number in range(1, 6)]
    assert len({len(bench.rows().sft([one])[0]["input_ids"]) for one in pairs}) == 1
    only_bos = bench.rows(max_prompt_tokens=1).legacy(pairs)
    theirs = bench.trl("orpo", only_bos, beta=0.1)
    assert_same(bench.ours("orpo", pair_rows(pairs), odds_weight=0.1, max_prompt_tokens=1), theirs)


@pytest.mark.parametrize("layout", ["trees", "padded"])
def test_dpo_of_an_adapter_takes_the_steps_of_trl(bench: Bench, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if layout == "padded":
        monkeypatch.setattr(models, "let_read_trees", lambda network: None)
    theirs = bench.trl("dpo", bench.rows().dpo(MANY), bench.adapter("dpo"))
    assert_same(bench.ours("dpo", pair_rows(MANY), lora=LORA), theirs)


def test_a_reward_model_of_an_adapter_and_a_whole_head_takes_the_steps_of_trl(bench: Bench) -> None:
    theirs = bench.trl("reward", bench.rows().reward(MANY), bench.adapter("reward"))
    assert_same(bench.ours("reward", pair_rows(MANY), lora=LORA), theirs)


def test_sft_of_an_adapter_takes_the_steps_of_trl(bench: Bench) -> None:
    theirs = bench.trl("sft", bench.rows().sft(MANY), bench.adapter("sft"), completion_only_loss=True)
    assert_same(bench.ours("sft", demonstration_rows(MANY), lora=LORA), theirs)
