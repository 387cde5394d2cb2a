from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evaluation import services
from evaluation.models import EvaluationRun
from evaluation.services import EvaluationRefused
from generation.models import LanguageModel
from tests.conftest import Doorbell
from tests.factory import Factory


def start(factory: Factory, kind: str, **fields: Any) -> EvaluationRun:
    return services.start_evaluation(**{"workspace": factory.workspace(), "name": "E", "kind": kind, **fields})


@pytest.fixture
def contest(factory: Factory) -> dict[str, Any]:
    """Everything that a win rate needs."""
    baseline, subject = factory.model("base"), factory.model("better")
    run = factory.sampling_run(models=[baseline, subject])
    return {"subjects": [subject], "baseline": baseline, "sampling_run": run, "judge": factory.judge()}


def test_a_win_rate_is_queued_and_rung(
    factory: Factory,
    contest: dict[str, Any],
    doorbells: list[Doorbell],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        run = start(factory, "win_rate", **contest)
    assert (run.status, list(run.subjects.all())) == ("queued", contest["subjects"])
    assert doorbells == [Doorbell("evaluation.tasks.run_evaluation", [run.pk], "gpu")]


def test_an_evaluation_of_nothing_or_of_an_unknown_kind_is_refused(factory: Factory, contest: dict[str, Any]) -> None:
    with pytest.raises(EvaluationRefused, match="at least one model"):
        start(factory, "win_rate", **{**contest, "subjects": []})
    with pytest.raises(EvaluationRefused, match="kind must be one of"):
        start(factory, "beauty", **contest)
    assert not EvaluationRun.objects.exists()


@pytest.mark.parametrize("missing", ["baseline", "sampling_run", "judge"])
def test_a_win_rate_without_one_of_its_parts_is_refused(
    factory: Factory, contest: dict[str, Any], missing: str
) -> None:
    with pytest.raises(EvaluationRefused, match="A win rate needs"):
        start(factory, "win_rate", **{**contest, missing: None})


def test_a_win_rate_by_a_person_or_over_missing_completions_is_refused(
    factory: Factory, contest: dict[str, Any]
) -> None:
    unfinished = factory.sampling_run(models=[*contest["subjects"], contest["baseline"]], status="running")
    changes: dict[str, dict[str, Any]] = {
        "is not a judge": {"judge": factory.person()},
        "wait until it has finished": {"sampling_run": unfinished},
        "holds no completions of": {"subjects": [factory.model()]},
        "cannot be compared with itself": {"subjects": [contest["baseline"]]},
    }
    for words, change in changes.items():
        with pytest.raises(EvaluationRefused, match=words):
            start(factory, "win_rate", **{**contest, **change})


def test_a_policys_accuracy_needs_its_reference(factory: Factory) -> None:
    policy, reward, dataset = factory.model(), factory.model(kind="reward"), factory.dataset()
    with pytest.raises(EvaluationRefused, match="needs its reference as baseline"):
        start(factory, "preference_accuracy", subjects=[reward, policy], dataset=dataset)
    assert start(factory, "preference_accuracy", subjects=[reward], dataset=dataset).baseline is None


def test_accuracy_on_anything_but_frozen_preferences_is_refused(factory: Factory) -> None:
    subjects = [factory.model(kind="reward")]
    with pytest.raises(EvaluationRefused, match="needs a dataset of preferences"):
        start(factory, "preference_accuracy", subjects=subjects)
    with pytest.raises(EvaluationRefused, match="needs a dataset of preferences"):
        start(factory, "preference_accuracy", subjects=subjects, dataset=factory.dataset(kind="demonstrations"))
    with pytest.raises(EvaluationRefused, match="wait until it is frozen"):
        start(factory, "preference_accuracy", subjects=subjects, dataset=factory.dataset(status="running"))


def test_a_model_behind_a_server_cannot_be_scored(factory: Factory) -> None:
    def served() -> LanguageModel:
        return factory.model(source="served", endpoint_url="http://example.org/v1")

    fields: dict[str, Any] = {"subjects": [factory.model()], "baseline": factory.model(), "dataset": factory.dataset()}
    for change in ({"subjects": [served()]}, {"baseline": served()}):
        with pytest.raises(EvaluationRefused, match="served model cannot be scored"):
            start(factory, "preference_accuracy", **{**fields, **change})


def test_nothing_of_another_workspace_is_evaluated(factory: Factory, contest: dict[str, Any]) -> None:
    theirs = factory.judge(workspace=factory.workspace("Elsewhere"))
    with pytest.raises(EvaluationRefused, match="workspace"):
        start(factory, "win_rate", **{**contest, "judge": theirs})


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_column_holds_is_refused(factory: Factory, contest: dict[str, Any], seed: int) -> None:
    with pytest.raises(EvaluationRefused, match="seed"):
        start(factory, "win_rate", seed=seed, **contest)
