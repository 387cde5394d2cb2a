"""Policies against the best of N replies of their reference, chosen by a reward model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.jobs import JobFailed
from evaluation import best_of_n, services
from evaluation.models import EvaluationResult, EvaluationRun
from evaluation.services import EvaluationRefused
from generation.models import Completion, LanguageModel, SamplingArm, ScoringRun
from tests.evaluation.contests import carry_out
from tests.factory import Factory
from tests.generation.engines import tiny_model

N = 3


def contest(
    factory: Factory,
    scores: Sequence[float],
    *,
    num_prompts: int = 3,
    reference: LanguageModel | None = None,
    policy: LanguageModel | None = None,
) -> EvaluationRun:
    """N replies of the reference to each prompt with these scores, the second the right one, and one of the policy.

    The policy is right about all but the first prompt.
    """
    reference, policy = reference or factory.model("Reference"), policy or factory.model("Policy")
    run = factory.sampling_run(
        factory.prompt_set(num_prompts=num_prompts), models=[reference, policy], num_completions=N
    )
    SamplingArm.objects.filter(run=run).update(temperature=0.7)  # so that no divergence is measured
    SamplingArm.objects.filter(run=run, model=policy).update(num_completions=1)
    run.completions.filter(model=policy, index__gt=0).delete()
    for number, prompt in enumerate(run.prompt_set.prompts.order_by("pk")):
        rows = Completion.objects.filter(prompt=prompt, model=reference)
        rows.filter(index=1).update(text=prompt.reference)
        Completion.objects.filter(prompt=prompt, model=policy).update(text=prompt.reference if number else "wrong")
    scoring = factory.scoring_run(run)
    scoring.scores.all().delete()
    for completion in run.completions.all():
        is_reference = completion.model_id == reference.pk
        scoring.scores.create(completion=completion, value=scores[completion.index] if is_reference else 0.5)
    return services.start_evaluation(
        workspace=factory.workspace(),
        name="Best of N",
        kind="win_rate",
        subjects=[policy],
        baseline=reference,
        sampling_run=run,
        scoring_run=scoring,
        judge=factory.judge(strictness="strict"),
    )


def results(run: EvaluationRun) -> dict[tuple[str, str], EvaluationResult]:
    return {(result.model.name, result.metric): result for result in run.results.select_related("model")}


@pytest.mark.parametrize(
    ("num", "nats"), [(1, 0.0), (2, math.log(2) - 0.5), (4, 2 * math.log(2) - 0.75), (16, 4 * math.log(2) - 15 / 16)]
)
def test_the_divergence_of_best_of_n_is_bounded(num: int, nats: float) -> None:
    assert best_of_n.kl_bound(num) == pytest.approx(nats)


def test_the_bound_is_exact_where_no_reply_is_likely() -> None:
    """Of many equally likely replies the best of N has density N u^(N-1): its divergence by a sum over a grid."""
    size, num = 20_000, 4
    shares = [((rank + 1) ** num - rank**num) / size**num for rank in range(size)]

    exact = sum(share * math.log(share * size) for share in shares)

    assert exact == pytest.approx(best_of_n.kl_bound(num), abs=1e-3)
    assert exact <= best_of_n.kl_bound(num)


def test_no_reply_has_no_bound() -> None:
    with pytest.raises(ValueError, match="got 0"):
        best_of_n.kl_bound(0)


def test_the_policy_meets_the_reply_that_scores_highest(factory: Factory) -> None:
    found = results(carry_out(contest(factory, [0.1, 0.9, 0.3])))

    # the second reply, which is right, stands for the reference: one loss, two ties
    assert found["Policy", "win_rate"].value == pytest.approx((0 + 0.5 + 0.5) / 3)
    assert found["Policy", "win_rate"].num_items == 3
    assert found["Reference", "reward"].value == pytest.approx(0.9)
    assert found["Policy", "reward"].value == pytest.approx(0.5)
    assert found["Reference", "reward"].details["best_of"] == N


def test_another_scorer_chooses_another_reply(factory: Factory) -> None:
    found = results(carry_out(contest(factory, [0.9, 0.1, 0.3])))

    # the first reply, which is wrong: both wrong is a tie, two wins
    assert found["Policy", "win_rate"].value == pytest.approx((0.5 + 1 + 1) / 3)


def test_the_bound_stands_beside_it_without_an_interval(factory: Factory) -> None:
    bound = results(carry_out(contest(factory, [0.1, 0.9, 0.3])))["Reference", "kl"]

    assert bound.value == bound.low == bound.high == pytest.approx(math.log(3) - 2 / 3)


def test_prompts_with_fewer_replies_have_a_smaller_bound(factory: Factory) -> None:
    run = contest(factory, [0.1, 0.9, 0.3])
    Completion.objects.filter(model=run.baseline, index=2).earliest("pk").delete()

    bound = results(carry_out(run))["Reference", "kl"]

    expected = (2 * best_of_n.kl_bound(3) + best_of_n.kl_bound(2)) / 3
    assert bound.value == pytest.approx(expected)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two tiny models with one tokenizer: the reference and something else."""
    tokenizer = tiny_model.build_tokenizer(["What is 1 plus 1?", "reply 2"])
    made = []
    for name, hidden_size in (("reference", 32), ("policy", 64)):
        folder = tmp_path_factory.mktemp(name)
        tiny_model.save(folder, tiny_model.build_model(tokenizer, hidden_size=hidden_size), tokenizer)
        made.append(folder)
    return made


def with_weights(factory: Factory, folders: list[Path], **arm: Any) -> dict[tuple[str, str], EvaluationResult]:
    reference, policy = (
        factory.model(name, location=folder) for name, folder in zip(("Reference", "Policy"), folders, strict=True)
    )
    run = contest(factory, [0.1, 0.9, 0.3], reference=reference, policy=policy)
    SamplingArm.objects.filter(run=run.sampling_run).update(temperature=1.0, top_p=1.0)
    SamplingArm.objects.filter(run=run.sampling_run, model=policy).update(**arm or {"temperature": 1.0})
    return results(carry_out(run))


def test_the_divergence_of_a_policy_is_measured_on_its_own_replies(factory: Factory, folders: list[Path]) -> None:
    from training.algorithms import scoring

    measured = with_weights(factory, folders)["Policy", "kl"]

    rows = list(Completion.objects.filter(model__name="Policy").select_related("prompt").order_by("prompt", "index"))
    asked = [row.prompt.messages for row in rows], [row.text for row in rows]
    own, reference = (scoring.completion_logps(folder, *asked) for folder in reversed(folders))
    expected = sum(one - other for one, other in zip(own, reference, strict=True)) / len(rows)
    assert measured.value == pytest.approx(expected, abs=1e-4)
    assert measured.low < measured.value < measured.high


@pytest.mark.parametrize("arm", [{"temperature": 0.7}, {"top_p": 0.9}, {"system_prompt": "Be brief."}])
def test_other_draws_than_the_policys_own_measure_no_divergence(
    factory: Factory, folders: list[Path], arm: dict[str, Any]
) -> None:
    assert ("Policy", "kl") not in with_weights(factory, folders, **arm)


def test_scores_of_no_reply_of_the_reference_are_a_named_failure(factory: Factory) -> None:
    run = contest(factory, [0.1, 0.9, 0.3])
    assert run.scoring_run is not None
    run.scoring_run.scores.filter(completion__model=run.baseline).delete()
    with pytest.raises(JobFailed, match="has no score of a reply of Reference"):
        carry_out(run)


def asked(run: EvaluationRun, **changed: Any) -> dict[str, Any]:
    """What the run was started with."""
    return {
        "workspace": run.workspace,
        "name": "Again",
        "kind": "win_rate",
        "subjects": list(run.subjects.all()),
        "baseline": run.baseline,
        "sampling_run": run.sampling_run,
        "scoring_run": run.scoring_run,
        "judge": run.judge,
        **changed,
    }


def test_scores_of_other_completions_are_refused(factory: Factory) -> None:
    run, other = contest(factory, [0.1, 0.9, 0.3]), factory.scoring_run()
    with pytest.raises(EvaluationRefused, match="scores other completions"):
        services.start_evaluation(**asked(run, scoring_run=other))


def test_one_reply_is_not_the_best_of_any(factory: Factory) -> None:
    run = contest(factory, [0.1, 0.9, 0.3])
    SamplingArm.objects.filter(model=run.baseline).update(num_completions=1)
    with pytest.raises(EvaluationRefused, match="sample 2 or more"):
        services.start_evaluation(**asked(run))


def test_scores_that_are_not_all_there_are_refused(factory: Factory) -> None:
    run = contest(factory, [0.1, 0.9, 0.3])
    ScoringRun.objects.update(status="running")
    with pytest.raises(EvaluationRefused, match="is running"):
        services.start_evaluation(**asked(run, scoring_run=ScoringRun.objects.get()))


def test_accuracies_take_no_scores(factory: Factory) -> None:
    run, dataset = contest(factory, [0.1, 0.9, 0.3]), factory.dataset()
    with pytest.raises(EvaluationRefused, match="leave it out here"):
        services.start_evaluation(**asked(run, kind="preference_accuracy", dataset=dataset))
