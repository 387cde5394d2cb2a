"""The page on which evaluations are started."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.models import EvaluationRun
from tests.factory import Factory
from tests.frontend.conftest import Browse


def contest(factory: Factory) -> dict[str, Any]:
    """What the form of a win rate sends: two models of one sampling run and a rubric."""
    models = [factory.model("Better"), factory.model("Older")]
    run = factory.sampling_run(factory.prompt_set(num_prompts=3), models=models)
    return {
        "kind": "win_rate",
        "name": "Contest",
        "seed": "0",
        "sampling_run": run.pk,
        "subjects": [models[0].pk],
        "baseline": models[1].pk,
        "judge": factory.judge().pk,
        "conflict": "",
    }


def test_labelers_and_strangers_have_no_such_page(factory: Factory, browse: Browse) -> None:
    factory.workspace()

    assert browse(factory.bob()).get("/evaluations/new/").status_code == 404
    assert browse(factory.bob()).post("/evaluations/start/", {"kind": "win_rate"}).status_code == 404
    assert browse(factory.dana()).get("/evaluations/new/").status_code == 200
    assert browse(factory.dana()).post("/evaluations/start/", {"kind": "magic"}).status_code == 404


def test_the_models_of_the_chosen_completions_are_offered(factory: Factory, browse: Browse) -> None:
    sent = contest(factory)
    factory.model("Never sampled")
    client = browse(factory.alice())

    before = client.get("/evaluations/new/").content.decode()
    after = client.get("/evaluations/new/", {"sampling_run": sent["sampling_run"]}).content.decode()

    assert "Choose the completions first" in before
    assert f'name="subjects" value="{sent["subjects"][0]}"' in after
    assert "Never sampled" not in after
    assert "Better, Older" in after


def test_models_with_several_arms_and_runs_of_one_model_are_not_offered(factory: Factory, browse: Browse) -> None:
    twice, once, other = factory.model("Twice"), factory.model("Once"), factory.model("Other")
    run = factory.sampling_run(models=[twice, twice, once, other])
    lonely = factory.sampling_run(models=[once])

    page = browse(factory.alice()).get("/evaluations/new/", {"sampling_run": run.pk}).content.decode()

    assert f'name="subjects" value="{once.pk}"' in page
    assert f'name="subjects" value="{twice.pk}"' not in page
    assert f'<option value="{lonely.pk}"' not in page


def test_without_completions_the_page_says_where_to_go(factory: Factory, browse: Browse) -> None:
    factory.workspace()

    page = browse(factory.alice()).get("/evaluations/new/").content.decode()

    assert "No sampling run with two models or more has finished" in page


def test_an_engineer_starts_a_win_rate_by_a_rubric(factory: Factory, browse: Browse) -> None:
    sent = contest(factory)

    reply = browse(factory.dana()).post("/evaluations/start/", sent)

    run = EvaluationRun.objects.get()
    assert reply["Location"] == f"/evaluations/{run.pk}/"
    assert [model.pk for model in run.subjects.all()] == sent["subjects"]
    assert (run.baseline_id, run.judge_id, run.judge_version) == (sent["baseline"], sent["judge"], None)


def test_a_language_model_judges_with_a_conflict_policy(factory: Factory, browse: Browse) -> None:
    judge = factory.llm_judge()
    sent = contest(factory) | {"judge": judge.pk, "conflict": "abstain"}

    browse(factory.dana()).post("/evaluations/start/", sent)

    run = EvaluationRun.objects.get()
    assert (run.judge_version, run.conflict) == (judge.versions.get(), "abstain")


@pytest.mark.parametrize(
    ("field", "change", "words"),
    [
        ("subjects", {"subjects": []}, "This field is required"),
        ("judge", {"judge": ""}, "This field is required"),
        ("conflict", {"conflict": "tie"}, "are for judges with a language model"),
        ("uses_managed_server", {"uses_managed_server": "on"}, "is for judges with a language model"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    factory: Factory, browse: Browse, field: str, change: dict[str, Any], words: str
) -> None:
    reply = browse(factory.alice()).post("/evaluations/start/", contest(factory) | change)

    error = reply.content.decode().split(f'id="error-{field}">')[1].split("</p>")[0]
    assert reply.status_code == 422
    assert words in error
    assert not EvaluationRun.objects.exists()


def test_a_model_is_not_compared_with_itself(factory: Factory, browse: Browse) -> None:
    sent = contest(factory)

    page = browse(factory.alice()).post("/evaluations/start/", sent | {"subjects": [sent["baseline"]]}).content.decode()

    assert "cannot be compared with itself" in page.split('id="error-baseline">')[1].split("</p>")[0]


def test_an_accuracy_is_measured_on_pairs(factory: Factory, browse: Browse) -> None:
    dataset, model = factory.dataset(), factory.model(kind="reward")
    sent = {"kind": "preference_accuracy", "name": "A", "seed": "0", "dataset": dataset.pk, "subjects": [model.pk]}

    browse(factory.dana()).post("/evaluations/start/", sent)

    run = EvaluationRun.objects.get()
    assert (run.kind, run.dataset, list(run.subjects.all())) == ("preference_accuracy", dataset, [model])


def test_a_policy_without_a_reference_is_refused(factory: Factory, browse: Browse) -> None:
    dataset, model = factory.dataset(), factory.model()
    sent = {"kind": "preference_accuracy", "name": "A", "seed": "0", "dataset": dataset.pk, "subjects": [model.pk]}

    reply = browse(factory.dana()).post("/evaluations/start/", sent)

    assert reply.status_code == 422
    assert "needs its reference as baseline" in reply.content.decode()


def test_nobody_is_offered_what_belongs_to_others(factory: Factory, browse: Browse) -> None:
    contest(factory)
    factory.dataset("Pairs")
    client = browse(factory.charlie())

    assert "Better" not in client.get("/evaluations/new/").content.decode()
    assert "Pairs" not in client.get("/evaluations/new/", {"kind": "preference_accuracy"}).content.decode()
