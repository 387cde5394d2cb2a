"""Ensembles of reward heads: closed forms, whole runs, and what a policy is rewarded for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from tests.training.algorithms.builders import (
    WORDS,
    ask,
    carry_out,
    events,
    failure,
    order,
    ranking_rows,
    saved_model,
    saved_reward_model,
    tokeniser,
    trees,
)
from training.algorithms import ensembles
from training.algorithms.batches import collate, completion_scores
from training.algorithms.config import InvalidConfiguration, PPOConfig, RewardConfig
from training.algorithms.execution import execute
from training.algorithms.judged_trees import JudgedPair, JudgedTree
from training.algorithms.models import (
    ModelInvalid,
    load_critic,
    load_language_model,
    load_reward_model,
    reward_model_from,
    score_head,
)
from training.algorithms.reward import ScoredTrees, reward_loss
from training.algorithms.rollout import Networks, roll_out
from training.algorithms.scoring import score_by_members, score_completions
from training.algorithms.session import Stopped

LN_3 = torch.tensor(3.0).log().item()  # s(ln 3) = 3/4


def judged(texts: Sequence[str] = ("bee", "owl"), weight: float = 1.0) -> JudgedTree:
    tree = tokeniser().tree(ask("Say bee."), list(texts))
    return JudgedTree(
        tree=tree, pairs=[JudgedPair(chosen=0, rejected=1, weight=weight)], tiers=[[0], [1]], weight=weight
    )


def scored(scores_CE: Tensor, items: Sequence[JudgedTree]) -> ScoredTrees:
    """Pairs with made-up scores: chosen, rejected, chosen, …"""
    numbers = range(0, len(scores_CE), 2)
    return ScoredTrees(
        items=items,
        scores_CE=scores_CE,
        pairs=[pair for item in items for pair in item.pairs],
        chosen=torch.tensor(numbers),
        rejected=torch.tensor([number + 1 for number in numbers]),
    )


def run(tmp_path: Path, name: str = "run", **config: Any) -> Path:
    """An order of an ensemble of three."""
    start = tmp_path / "policy"
    init_model = str(start) if start.exists() else saved_model(start)
    settings = {"ensemble_size": 3, "num_epochs": 4, "learning_rate": 1e-3, **config}
    data = ranking_rows() if "ranking_loss" in config else None
    return order(tmp_path / name, "reward", settings, init_model=init_model, data=data)


def final(directory: Path) -> Path:
    *_, last = events(directory, "checkpoint")
    return directory / str(last["path"])


def trained(directory: Path) -> Path:
    """The final model of an order that is carried out."""
    assert carry_out(directory) == 0, failure(directory)
    return final(directory)


def saved_ensemble(folder: Path, *, num_members: int = 3) -> str:
    model = reward_model_from(saved_model(folder), pad_id=0, num_members=num_members, seed=5)
    model.network.save_pretrained(folder)
    return str(folder)


def test_a_bootstrap_draws_whole_prompts_and_as_many_as_there_are() -> None:
    prompts = ["a", "b", "a", "c", "d", "e"]
    counts_EN = ensembles.bootstrap_counts(prompts, num_members=4, seed=1)
    assert counts_EN.shape == (4, 6)
    assert torch.equal(counts_EN[:, 0], counts_EN[:, 2])  # both rows of prompt a
    assert counts_EN[:, [0, 1, 3, 4, 5]].sum(dim=-1).tolist() == [5.0] * 4
    assert len({tuple(row) for row in counts_EN.tolist()}) == 4


def test_a_bootstrap_is_a_function_of_the_seed_and_leaves_out_a_third() -> None:
    first, again, other = (ensembles.bootstrap_counts(range(2_000), num_members=2, seed=s) for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first == 0).float().mean().item() == pytest.approx(0.3679, abs=0.02)  # (1 - 1/n)^n -> 1/e


def test_disagreement_is_taken_from_the_mean_or_the_lowest_member_speaks() -> None:
    members_CE = torch.tensor([[1.0, 3.0], [2.0, 2.0]])
    assert ensembles.variance_over_members(members_CE).tolist() == [1.0, 0.0]
    penalised_C = ensembles.conservative_scores(members_CE, variance_penalty=0.5, is_worst_case=False)
    assert penalised_C.tolist() == [1.5, 2.0]
    assert ensembles.conservative_scores(members_CE, variance_penalty=0, is_worst_case=True).tolist() == [1.0, 2.0]
    one_CE = torch.tensor([[0.7], [-1.3]])
    assert torch.equal(ensembles.conservative_scores(one_CE, variance_penalty=2, is_worst_case=False), one_CE[:, 0])


def test_members_that_differ_about_the_size_of_a_lead_disagree_less_than_those_that_differ_about_the_order() -> None:
    margins_PE = torch.tensor([[-LN_3, LN_3], [10.0, 10 + 2 * LN_3]])
    divided, sure = ensembles.disagreements(margins_PE).tolist()
    assert divided == pytest.approx(1 / 16)  # of 1/4 and 3/4
    assert sure < 1e-6
    assert torch.allclose(*ensembles.variance_over_members(margins_PE))


@pytest.mark.parametrize(
    ("values", "positive", "expected"),
    [
        ([3.0, 1.0, 2.0, 0.0], [1.0, 1.0, 0.0, 0.0], 3 / 4),
        ([1.0, 1.0], [1.0, 0.0], 1 / 2),
        ([5.0, 1.0, 2.0], [0.0, 1.0, 1.0], 0.0),
    ],
)
def test_the_area_under_the_curve_is_the_share_of_pairs_in_order(
    values: list[float], positive: list[float], expected: float
) -> None:
    positive_P = torch.tensor(positive)
    found = ensembles.auroc(torch.tensor(values), positive_P=positive_P, negative_P=1 - positive_P)
    assert found == pytest.approx(expected)


def test_reliability_sets_the_disagreement_on_errors_against_that_on_right_answers() -> None:
    margins_PE = torch.tensor([[2.0, 2.0], [4.0, 2.0], [-3.0, 1.0], [0.0, 0.0]])  # right, right, wrong, undecided
    found = ensembles.reliability(margins_PE, torch.ones(4))
    assert found["variance"] == pytest.approx((0 + 1 + 4 + 0) / 4)
    assert found["variance_where_right"] == pytest.approx(1 / 2)
    assert found["variance_where_wrong"] == pytest.approx(4)
    assert found["error_auroc"] == 1.0


def test_without_an_error_nothing_is_said_about_errors() -> None:
    found = ensembles.reliability(torch.tensor([[1.0, 2.0]]), torch.ones(1))
    assert set(found) == {"variance", "variance_where_right"}


def test_an_ensembles_loss_is_the_mean_of_what_its_members_lose() -> None:
    scores_CE, items = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), [judged(), judged(weight=2.0)]
    config = RewardConfig(centring=0.1)
    alone = [reward_loss(scored(scores_CE[:, [e]], items), config) for e in range(3)]
    torch.testing.assert_close(reward_loss(scored(scores_CE, items), config), torch.stack(alone).mean())


@pytest.mark.parametrize("ranking_loss", ["pairs", "plackett_luce"])
def test_a_prompt_that_a_sample_holds_twice_weighs_as_two(ranking_loss: str) -> None:
    scores_CE, items = torch.randn(4, 1, generator=torch.Generator().manual_seed(0)), [judged(), judged()]
    config = RewardConfig(ranking_loss=ranking_loss)
    first, second = (reward_loss(scored(scores_CE[i : i + 2], items[:1]), config) for i in (0, 2))
    resampled = reward_loss(scored(scores_CE, items), config, torch.tensor([[2.0, 0.0]]))
    torch.testing.assert_close(resampled, 2 * first)
    torch.testing.assert_close(reward_loss(scored(scores_CE, items), config), first + second)


@pytest.mark.parametrize("ranking", [{}, {"ranking_loss": "plackett_luce"}], ids=["pairs", "rankings"])
def test_an_ensemble_is_one_run_whose_folder_transformers_loads_as_a_classifier(
    tmp_path: Path, ranking: dict[str, str]
) -> None:
    directory = run(tmp_path, eval_every=2, **ranking)
    folder = trained(directory)
    config = json.loads((folder / "config.json").read_text())
    assert config["ensemble_size"] == 3
    assert len(config["id2label"]) == 3
    model, tree = load_reward_model(folder), trees()[0]
    network: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(folder)
    ids_1T = torch.tensor([[*tree.prompt, *tree.completions[0]]])
    with torch.no_grad():
        logits_1E = network(input_ids=ids_1T).logits
        scores_C = completion_scores(model, collate([tree], pad_id=0))
    assert logits_1E.shape == (1, 3)
    assert scores_C[0].item() == pytest.approx(logits_1E.mean().item(), abs=1e-5)
    shown = {"held_out_variance", "held_out_accuracy", "held_out_loss"}
    assert shown <= set(events(directory, "evaluation")[-1]["values"])
    assert events(directory, "step")[-1]["values"]["variance"] > 0


def test_members_start_apart_and_learn_from_samples_of_their_own(tmp_path: Path) -> None:
    first, again = (load_reward_model(saved_ensemble(tmp_path / name)) for name in ("a", "b"))
    weight_ED = score_head(first.network).weight
    assert torch.equal(weight_ED, score_head(again.network).weight)
    assert torch.linalg.matrix_rank(weight_ED) == 3
    same, other = (trained(run(tmp_path, str(sampled), bootstrap=sampled)) for sampled in (False, True))
    assert (same / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


def test_one_head_is_the_plain_reward_model_to_the_bit(tmp_path: Path) -> None:
    start, settings = saved_model(tmp_path / "policy"), {"num_epochs": 4, "learning_rate": 1e-3}
    plain = order(tmp_path / "plain", "reward", settings, init_model=start)
    single = run(tmp_path, ensemble_size=1)
    assert (trained(single) / "model.safetensors").read_bytes() == (trained(plain) / "model.safetensors").read_bytes()
    assert events(plain, "step")[0]["values"]["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert "ensemble_size" not in json.loads((final(single) / "config.json").read_text())
    assert not any("variance" in name for name in events(single, "evaluation")[-1]["values"])


def test_an_ensemble_that_was_stopped_resumes_to_the_same_bits(tmp_path: Path) -> None:
    whole, cut = run(tmp_path, "whole", checkpoint_every=2), run(tmp_path, "cut", checkpoint_every=2)
    stops = iter([False, False, False, True])
    with pytest.raises(Stopped):
        execute(cut, is_stop_requested=lambda: next(stops))
    assert (trained(cut) / "model.safetensors").read_bytes() == (trained(whole) / "model.safetensors").read_bytes()
    assert any("Resumed" in event["message"] for event in events(cut, "log"))


def test_the_scores_of_an_ensemble_are_its_members_means(tmp_path: Path) -> None:
    folder, asked, said = saved_ensemble(tmp_path), [ask("Say bee."), ask("Say owl.")], ["bee", "owl"]
    members = score_by_members(folder, asked, said)
    assert [len(one) for one in members] == [3, 3]
    assert score_completions(folder, asked, said) == pytest.approx([sum(one) / 3 for one in members])


def test_a_classifier_that_does_not_call_itself_an_ensemble_is_refused(tmp_path: Path) -> None:
    saved_ensemble(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["ensemble_size"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelInvalid, match="with one output and no bias"):
        load_reward_model(tmp_path)


def test_the_critic_of_an_ensemble_has_one_head_that_is_their_mean(tmp_path: Path) -> None:
    folder, hidden_ND = saved_ensemble(tmp_path), torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    critic, reward = load_critic(folder), load_reward_model(folder)
    assert (critic.num_members, reward.num_members) == (1, 3)
    torch.testing.assert_close(critic.scores(hidden_ND), reward.scores(hidden_ND))
    critic.network.save_pretrained(tmp_path / "critic")
    assert load_reward_model(tmp_path / "critic").num_members == 1


@pytest.mark.parametrize("settings", [{"variance_penalty": 0.5}, {"worst_case": True}, {}], ids=str)
def test_a_rollout_is_rewarded_by_what_is_left_of_its_members_scores(
    tmp_path: Path, settings: dict[str, float | bool]
) -> None:
    policy, reward = saved_model(tmp_path / "policy"), saved_ensemble(tmp_path / "reward")
    networks = Networks(
        policy=load_language_model(policy),
        reference=load_language_model(policy),
        reward=load_reward_model(reward),
        critic=load_critic(reward),
        stop_id=tokeniser().stop_id,
        pad_id=tokeniser().pad_id,
    )
    config = PPOConfig(max_completion_tokens=6, max_prompt_tokens=40, **settings)  # type: ignore[arg-type] # by name
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rollout = roll_out(networks, [tokeniser().prompt(ask(f"Say {word}.")) for word in WORDS[:4]], config)
    members_CE = rollout.member_scores_CE
    assert members_CE.shape == (4, 3)
    spread_C = ((members_CE - members_CE.mean(-1, keepdim=True)) ** 2).mean(-1)
    expected_C = {
        "variance_penalty": members_CE.mean(-1) - 0.5 * spread_C,
        "worst_case": members_CE.amin(-1),
        "": members_CE.mean(-1),
    }["".join(settings)]
    torch.testing.assert_close(rollout.scores_C, expected_C)


def test_ppo_against_an_ensemble_shows_what_its_members_say_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    policy, reward = saved_model(tmp_path / "policy"), saved_ensemble(tmp_path / "reward")
    settings = {"num_epochs": 2, "num_minibatches": 2, "num_critic_warmup": 1, "variance_penalty": 0.5}
    whole, cut = (
        order(tmp_path / name, "ppo", {**settings, "checkpoint_every": 2}, init_model=policy, reward_model=reward)
        for name in ("whole", "cut")
    )
    weights = (trained(whole) / "model.safetensors").read_bytes()
    for values in (events(whole, "step")[0]["values"], events(whole, "evaluation")[-1]["values"]):
        prefix = "" if "score" in values else "held_out_"
        penalty = 0.5 * values[f"{prefix}score_variance"]
        assert penalty > 0
        assert values[f"{prefix}score"] == pytest.approx(values[f"{prefix}mean_score"] - penalty, abs=1e-5)
    stops = iter([False, False, False, True])
    with pytest.raises(Stopped):
        execute(cut, is_stop_requested=lambda: next(stops))
    assert (trained(cut) / "model.safetensors").read_bytes() == weights


def test_a_member_that_only_watches_pays_nothing_and_is_seen(tmp_path: Path) -> None:
    members_CE = torch.tensor([[1.0, 3.0, 90.0]])
    settings = {"variance_penalty": 0.5, "is_worst_case": False, "num_judges": 1}
    assert ensembles.conservative_scores(members_CE, **settings).tolist() == [1.5]  # type: ignore[arg-type] # by name
    directory = order(
        tmp_path / "run",
        "ppo",
        {"max_steps": 1, "num_minibatches": 1, "num_judges": 1},
        init_model=saved_model(tmp_path / "policy"),
        reward_model=saved_ensemble(tmp_path / "reward"),
    )
    trained(directory)
    assert {"judge_score", "judge_deviation", "score_deviation"} <= set(events(directory, "step")[0]["values"])
    assert "held_out_judge_score" in events(directory, "evaluation")[-1]["values"]


def test_judges_leave_somebody_to_reward(tmp_path: Path) -> None:
    directory = order(
        tmp_path / "run",
        "ppo",
        {"num_judges": 3},
        init_model=saved_model(tmp_path / "policy"),
        reward_model=saved_ensemble(tmp_path / "reward"),
    )
    assert carry_out(directory) == 1
    assert "num_judges (3) leaves none of the reward model's 3 members" in failure(directory)["error"]


@pytest.mark.parametrize("settings", [{"variance_penalty": 0.5}, {"worst_case": True}], ids=str)
def test_a_reward_model_of_one_head_has_nobody_to_disagree(tmp_path: Path, settings: dict[str, float | bool]) -> None:
    directory = order(
        tmp_path / "run",
        "ppo",
        settings,
        init_model=saved_model(tmp_path / "policy"),
        reward_model=saved_reward_model(tmp_path / "reward"),
    )
    assert carry_out(directory) == 1
    said = failure(directory)
    assert said["kind"] == "configuration"
    assert "is for ensembles" in said["error"]
    assert "ensemble_size" in said["error"]


def test_settings_that_make_no_ensemble_are_refused() -> None:
    with pytest.raises(InvalidConfiguration, match="ensemble_size must lie between 1 and 64, got 0"):
        RewardConfig(ensemble_size=0)
    with pytest.raises(InvalidConfiguration, match="leave one of them out"):
        PPOConfig(worst_case=True, variance_penalty=1.0)
    with pytest.raises(InvalidConfiguration, match="variance_penalty may not be negative"):
        PPOConfig(variance_penalty=-1.0)
