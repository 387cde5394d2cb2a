from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core import jobs
from core.jobs import JobFailed, StaleAttempt
from evaluation import runner, services
from evaluation.models import EvaluationResult, EvaluationRun
from generation.models import Completion, LanguageModel
from tests.factory import Factory, preference_rows
from tests.generation.engines import tiny_model
from training.algorithms import scoring

WRONG = "wrong"


@pytest.fixture
def base(factory: Factory) -> LanguageModel:
    return factory.model("base")


@pytest.fixture
def better(factory: Factory) -> LanguageModel:
    return factory.model("better")


def contest(
    factory: Factory, base: LanguageModel, better: LanguageModel, replies: list[tuple[str, str]], **fields: Any
) -> EvaluationRun:
    """A claimed win rate of `better`; RIGHT in (reply of base, reply of better) stands for the right answer."""
    run = factory.sampling_run(factory.prompt_set(num_prompts=len(replies)), models=[base, better], num_completions=1)
    for prompt, (theirs, ours) in zip(run.prompt_set.prompts.order_by("pk"), replies, strict=True):
        for model, text in ((base, theirs), (better, ours)):
            right = text.replace("RIGHT", prompt.reference)
            Completion.objects.filter(prompt=prompt, model=model).update(text=right)
    judge = factory.judge(strictness="strict")
    evaluation = services.start_evaluation(
        workspace=factory.workspace(),
        name="E",
        kind="win_rate",
        subjects=[better],
        baseline=base,
        sampling_run=run,
        judge=judge,
        **fields,
    )
    held = jobs.claim(EvaluationRun, evaluation.pk)
    assert held is not None
    return held


def test_a_win_rate_counts_ties_half(factory: Factory, base: LanguageModel, better: LanguageModel) -> None:
    replies = [(WRONG, "RIGHT")] * 3 + [("RIGHT", WRONG)] + [("RIGHT", "RIGHT")] * 4
    runner.evaluate(contest(factory, base, better, replies))
    result = EvaluationResult.objects.get()
    assert (result.metric, result.model) == ("win_rate", better)
    assert result.value == pytest.approx((3 + 4 / 2) / 8)
    assert result.low < result.value < result.high
    assert (result.num_prompts, result.num_items) == (8, 8)
    assert {key: result.details[key] for key in ("wins", "losses", "ties", "flips")} == {
        "wins": 3,
        "losses": 1,
        "ties": 4,
        "flips": 0,
    }


def test_the_same_seed_gives_the_same_interval(factory: Factory, base: LanguageModel, better: LanguageModel) -> None:
    run = contest(factory, base, better, [(WRONG, "RIGHT"), ("RIGHT", WRONG), (WRONG, "RIGHT")], seed=5)
    runner.evaluate(run)
    first = EvaluationResult.objects.values_list("value", "low", "high").get()
    runner.evaluate(run)
    assert EvaluationResult.objects.values_list("value", "low", "high").get() == first


def test_only_completions_that_both_models_have_are_compared(
    factory: Factory, base: LanguageModel, better: LanguageModel
) -> None:
    run = contest(factory, base, better, [(WRONG, "RIGHT")] * 4)
    Completion.objects.filter(model=base).latest("pk").delete()
    runner.evaluate(run)
    assert EvaluationResult.objects.get().num_items == 3


@pytest.mark.parametrize("num_prompts", [0, 1])
def test_too_few_prompts_for_an_interval_are_a_named_failure(
    factory: Factory, base: LanguageModel, better: LanguageModel, num_prompts: int
) -> None:
    run = contest(factory, base, better, [(WRONG, "RIGHT")] * 2)
    kept = Completion.objects.order_by("prompt").values_list("prompt", flat=True).distinct()[:num_prompts]
    Completion.objects.exclude(prompt__in=list(kept)).delete()
    with pytest.raises(JobFailed) as raised:
        runner.evaluate(run)
    assert raised.value.failure_kind == "too-few-prompts"
    assert not EvaluationResult.objects.exists()


def test_an_attempt_that_lost_the_row_stores_nothing(
    factory: Factory, base: LanguageModel, better: LanguageModel
) -> None:
    run = contest(factory, base, better, [(WRONG, "RIGHT")] * 2)
    EvaluationRun.objects.filter(pk=run.pk).update(attempt=2)
    with pytest.raises(StaleAttempt):
        runner.evaluate(run)
    assert not EvaluationResult.objects.exists()


# Accuracy on held-out pairs


def accuracy(factory: Factory, subjects: list[LanguageModel], **fields: Any) -> EvaluationRun:
    fields.setdefault("dataset", factory.dataset(rows=preference_rows(24)))
    evaluation = services.start_evaluation(
        workspace=factory.workspace(), name="E", kind="preference_accuracy", subjects=subjects, **fields
    )
    held = jobs.claim(EvaluationRun, evaluation.pk)
    assert held is not None
    return held


def test_a_reward_model_is_right_where_it_scores_the_chosen_one_higher(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(location: str, conversations: list[Any], completions: list[str]) -> list[tuple[float, ...]]:
        """The number in the reply, but for the first pair the other way round."""
        numbers = [float(text) for text in completions]
        half = len(numbers) // 2
        numbers[0], numbers[half] = numbers[half], numbers[0]
        return [(-number,) for number in numbers]  # the chosen one of `preference_rows` is the smaller number

    monkeypatch.setattr(scoring, "score_by_members", scores)
    runner.evaluate(accuracy(factory, [factory.model(kind="reward")]))
    values = dict(EvaluationResult.objects.values_list("metric", "value"))
    assert values == {"accuracy": pytest.approx(5 / 6), "margin": pytest.approx((5 - 1) / 6)}
    assert set(EvaluationResult.objects.values_list("num_prompts", "num_items")) == {(6, 6)}
    assert EvaluationResult.objects.get(metric="accuracy").details["score"] == "reward model"


def test_an_ensemble_is_measured_by_its_mean_and_by_whether_it_disagrees_where_it_errs(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(location: str, conversations: list[Any], completions: list[str]) -> list[tuple[float, ...]]:
        """Two members agree but for the first pair: one puts it right by 1, the other wrong by 5."""
        numbers = [-float(text) for text in completions]
        said: list[tuple[float, ...]] = [(number, number) for number in numbers]
        said[0] = (numbers[0], numbers[0] - 6)
        return said

    monkeypatch.setattr(scoring, "score_by_members", scores)
    runner.evaluate(accuracy(factory, [factory.model(kind="reward")]))
    result = EvaluationResult.objects.get(metric="accuracy")
    assert result.value == pytest.approx(5 / 6)
    assert result.details["score"] == "mean of 2 members"
    assert result.details["variance_where_right"] == 0
    assert result.details["variance_where_wrong"] == pytest.approx(9)  # margins 1 and -5
    assert result.details["variance"] == pytest.approx(1.5)
    assert result.details["error_auroc"] == 1


def test_a_policys_implicit_reward_is_beta_times_its_distance_from_the_reference(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = factory.training_run(algorithm="dpo", config={"beta": 0.5})
    policy, reference = factory.model("policy"), factory.model("reference")
    run.checkpoints.update(language_model=policy)

    def logps(location: str, conversations: list[Any], completions: list[str]) -> list[float]:
        factor = 3.0 if location == policy.location else 1.0
        return [-factor * float(text) for text in completions]

    monkeypatch.setattr(scoring, "completion_logps", logps)
    runner.evaluate(accuracy(factory, [policy], baseline=reference))
    margin = EvaluationResult.objects.get(metric="margin")
    # log pi(chosen) - log pi(rejected) is 3 for the policy and 1 for the reference, as rejected = chosen + 1.
    assert margin.value == pytest.approx(0.5 * (3.0 - 1.0))
    assert (margin.details["beta"], margin.details["reference"]) == (0.5, "reference")


def test_a_real_models_folder_is_scored(factory: Factory, tmp_path: Path) -> None:
    tokenizer = tiny_model.build_tokenizer(["What is 1 plus 1?"])
    tiny_model.save(tmp_path, tiny_model.build_model(tokenizer), tokenizer)
    policy, reference = factory.model(location=tmp_path), factory.model(location=tmp_path)
    runner.evaluate(accuracy(factory, [policy], baseline=reference))
    assert EvaluationResult.objects.get(metric="margin").value == 0.0  # a model is no distance from itself
    assert EvaluationResult.objects.get(metric="accuracy").details["score"].startswith("implicit reward")


def test_a_dataset_that_was_changed_is_not_measured_on(factory: Factory) -> None:
    dataset = factory.dataset()
    with dataset.parquet_path.open("ab") as file:
        file.write(b"one byte more")
    with pytest.raises(JobFailed, match="not the one that was frozen") as raised:
        runner.evaluate(accuracy(factory, [factory.model(kind="reward")], dataset=dataset))
    assert raised.value.failure_kind == "data_error"


def test_a_dataset_that_has_gone_is_a_named_failure(factory: Factory) -> None:
    dataset = factory.dataset()
    dataset.parquet_path.unlink()
    with pytest.raises(JobFailed, match="missing") as raised:
        runner.evaluate(accuracy(factory, [factory.model(kind="reward")], dataset=dataset))
    assert raised.value.failure_kind == "data_error"


def test_a_dataset_without_held_out_pairs_is_a_named_failure(factory: Factory) -> None:
    dataset = factory.dataset(rows=preference_rows(3))
    with pytest.raises(JobFailed, match="no held-out pair"):
        runner.evaluate(accuracy(factory, [factory.model(kind="reward")], dataset=dataset))


def test_a_models_folder_that_has_gone_is_a_named_failure(factory: Factory) -> None:
    with pytest.raises(JobFailed) as raised:
        runner.evaluate(accuracy(factory, [factory.model(kind="reward")]))
    assert raised.value.failure_kind == "model_error"
