"""PPO's own parts: sampling, rollouts, score statistics, and an update that moves the right way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.algorithms.builders import WORDS, ask, language_model, reward_model, saved_model, tokeniser
from training.algorithms.config import PPOConfig
from training.algorithms.models import LanguageModel, load_language_model
from training.algorithms.ppo import monitors, targets_of
from training.algorithms.ppo_update import Targets, Update
from training.algorithms.rollout import Networks, Rollout, read_rollout, roll_out
from training.algorithms.running_scores import include_scores, normalised_scores
from training.algorithms.samplers import Sampled
from training.algorithms.sampling import sample_completions

PROMPTS = [tokeniser().prompt(ask(f"Say {' '.join(WORDS[: n + 1])}.")) for n in range(5)]
CONFIG = PPOConfig(batch_size=5, num_minibatches=1, max_completion_tokens=6, max_prompt_tokens=40)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def networks(folder: Path) -> Networks:
    saved_model(folder / "policy")
    chat = tokeniser()
    return Networks(
        policy=load_language_model(folder / "policy"),
        reference=load_language_model(folder / "policy"),
        reward=reward_model(folder / "reward"),
        critic=reward_model(folder / "critic"),
        stop_id=chat.stop_id,
        pad_id=chat.pad_id,
    )


def greedy(model: LanguageModel, prompt: tuple[int, ...], stop_id: int, length: int) -> tuple[int, ...]:
    """Token by token, no cache, no batch."""
    made: list[int] = []
    while len(made) < length and stop_id not in made:
        ids = torch.tensor([[*prompt, *made]])
        made.append(int(model.network(input_ids=ids).logits[0, -1].argmax()))
    return tuple(made)


@torch.no_grad()
def test_batched_sampling_with_a_cache_says_what_the_plain_model_says() -> None:
    model = language_model()
    said = {token for prompt in PROMPTS for token in greedy(model, prompt, -1, 8)}
    all_lengths = set()
    for stop_id in said:  # each ends the rows in places of its own
        found = sample_completions(model, PROMPTS, max_new_tokens=8, temperature=0.0, stop_id=stop_id, pad_id=0)
        assert found == [greedy(model, prompt, stop_id, 8) for prompt in PROMPTS]
        all_lengths.add(tuple(len(completion) for completion in found))
    assert any(len(set(lengths)) > 1 for lengths in all_lengths)


@torch.no_grad()
def test_sampling_follows_the_models_distribution_at_its_temperature() -> None:
    model = language_model()
    drawn = sample_completions(model, [PROMPTS[0]] * 20_000, max_new_tokens=1, temperature=0.1, stop_id=-1, pad_id=0)
    logits_V = model.network(input_ids=torch.tensor([PROMPTS[0]])).logits[0, -1]
    expected_V = torch.softmax(logits_V / 0.1, dim=-1)
    found_V = torch.bincount(torch.tensor([c[0] for c in drawn]), minlength=len(expected_V)) / 20_000
    assert (found_V - expected_V).abs().max().item() < 0.02


def test_a_rollout_of_an_untrained_policy_has_no_divergence_and_ratio_one(tmp_path: Path) -> None:
    made = networks(tmp_path)
    rollout = roll_out(made, PROMPTS, CONFIG)
    torch.testing.assert_close(rollout.logps_CL, rollout.reference_logps_CL)
    lengths = [len(tree.completions[0]) for tree in rollout.trees]
    assert rollout.mask_CL.sum(-1).tolist() == lengths
    targets = Targets(advantages_CL=torch.ones_like(rollout.logps_CL), returns_CL=rollout.values_CL)
    measured = Update(networks=made, config=CONFIG).run(rollout, targets, {"policy": 1e-4, "critic": 1e-4})
    assert measured["first_ratio"] == pytest.approx(1.0, abs=1e-5)
    assert measured["clip_fraction"] == 0.0
    assert measured["update_kl"] == pytest.approx(0.0, abs=1e-6)
    assert monitors(rollout, targets)["kl"] == pytest.approx(0.0, abs=1e-6)


def test_an_update_makes_what_was_good_likelier_and_what_was_bad_less_likely(tmp_path: Path) -> None:
    made = networks(tmp_path)
    rollout = roll_out(made, PROMPTS, CONFIG)
    signs_C = torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0])
    targets = Targets(advantages_CL=signs_C[:, None] * rollout.mask_CL, returns_CL=rollout.values_CL)
    Update(networks=made, config=CONFIG).run(rollout, targets, {"policy": 1e-3, "critic": 1e-3})
    gains_C = ((logps_now(made, rollout) - rollout.logps_CL) * rollout.mask_CL).sum(-1)
    assert (gains_C * signs_C > 0).all()


def test_what_another_engine_was_surer_of_weighs_less(tmp_path: Path) -> None:
    made = networks(tmp_path)
    rollout = roll_out(made, PROMPTS, CONFIG)
    targets = Targets(advantages_CL=rollout.mask_CL, returns_CL=rollout.values_CL)
    losses = []
    for sampler_logps_CL in (None, rollout.logps_CL, rollout.logps_CL + math.log(2)):
        sampled = replace(rollout, sampler_logps_CL=sampler_logps_CL)
        update = Update(networks=made, config=CONFIG)
        losses.append(update.minibatch(sampled, targets, range(5), {"policy": 0.0, "critic": 0.0})["policy_loss"])
    assert losses == pytest.approx([-1.0, -1.0, -0.5], abs=1e-5)


def test_a_rate_of_zero_trains_the_critic_alone(tmp_path: Path) -> None:
    made = networks(tmp_path)
    rollout = roll_out(made, PROMPTS, CONFIG)
    targets = Targets(advantages_CL=rollout.mask_CL, returns_CL=rollout.values_CL + 0.1 * rollout.mask_CL)
    Update(networks=made, config=CONFIG).run(rollout, targets, {"policy": 0.0, "critic": 1e-3})
    torch.testing.assert_close(logps_now(made, rollout), rollout.logps_CL)
    assert not torch.equal(read_again(made, rollout).values_CL, rollout.values_CL)


def logps_now(made: Networks, rollout: Rollout) -> torch.Tensor:
    return read_again(made, rollout).logps_CL


def read_again(made: Networks, rollout: Rollout) -> Rollout:
    """The same completions read by the networks as they are now."""
    sampled = Sampled(completions=[tree.completions[0] for tree in rollout.trees])
    return read_rollout(made, PROMPTS, sampled, CONFIG)


def test_a_missing_stop_costs_its_penalty(tmp_path: Path) -> None:
    rollout = roll_out(networks(tmp_path), PROMPTS, CONFIG)
    numbers = {"beta": 0.0}
    include_scores(numbers, rollout.scores_C)
    returns = {}
    for name, penalty in (("none", 0.0), ("one", 1.0)):
        config = PPOConfig(max_prompt_tokens=40, missing_stop_penalty=penalty, gae_lambda=1.0)
        returns[name] = targets_of(rollout, numbers, config).returns_CL[:, 0]
    torch.testing.assert_close(returns["none"] - returns["one"], (~rollout.is_stopped_C).float())


def test_running_statistics_of_parts_are_those_of_the_whole() -> None:
    scores = torch.randn(50, dtype=torch.float64) * 3 + 7
    numbers: dict[str, float] = {}
    for part in scores.split((1, 20, 29)):
        include_scores(numbers, part)
    white = normalised_scores(numbers, scores, clip=10.0)
    torch.testing.assert_close(white, (scores - scores.mean()) / scores.std(correction=0))
    assert normalised_scores(numbers, torch.tensor([1e9]), clip=10.0).item() == 10.0
