"""The panel beside the form of a new training run, and what of it stays on the run's page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factory import Factory
from tests.frontend.conftest import Browse
from tests.frontend.test_new_training import filled_in
from tests.training.algorithms.builders import saved_model
from training.algorithms.estimate import Estimate
from training.models import DataReport, TrainingRun

SHORT = {"max_prompt_tokens": "30", "max_completion_tokens": "30"}


def preview(browse: Browse, factory: Factory, **fields: Any) -> str:
    reply = browse(factory.dana(), htmx=True).post("/training/preview/", filled_in("dpo", **fields))
    assert reply.status_code == 200
    return reply.content.decode()


def test_without_data_it_says_what_to_do(factory: Factory, browse: Browse) -> None:
    factory.dataset()

    assert "Choose data and a model" in preview(browse, factory)
    assert not DataReport.objects.exists()


def test_labelers_have_no_preview(factory: Factory, browse: Browse) -> None:
    factory.workspace()

    assert browse(factory.bob()).post("/training/preview/", filled_in("dpo")).status_code == 404


def test_a_report_is_asked_for_and_shown_once_a_worker_has_written_it(
    factory: Factory, browse: Browse, finish_jobs: Callable[[], int], tmp_path: Path
) -> None:
    sent = {"dataset": factory.dataset().pk, "init_model": factory.model(location=saved_model(tmp_path)).pk, **SHORT}

    waiting = preview(browse, factory, **sent)
    finish_jobs()
    written = preview(browse, factory, **sent)

    assert "A worker is reading the data" in waiting
    assert "load delay:1s" in waiting
    assert "guessed" in waiting
    assert "6 rows, 6 prompts" in written
    assert "Prompt, tokens" in written
    assert "Tokenizer and chat template: in order" in written
    assert "load delay:1s" not in written
    assert "guessed" not in written
    assert DataReport.objects.count() == 1


def test_findings_are_listed_with_their_rows(factory: Factory, browse: Browse, finish_jobs: Callable[[], int]) -> None:
    from tests.factory.columns import preference_rows

    rows = preference_rows(8)
    rows[2]["rejected"] = rows[2]["chosen"]
    sent = {"dataset": factory.dataset(rows=rows).pk, "init_model": factory.model().pk}
    preview(browse, factory, **sent)
    finish_jobs()

    page = preview(browse, factory, **sent)

    assert 'class="finding is-bad">1 row in which two of the replies are the same text' in page
    assert "row 3" in page
    assert "is not on this machine" in page


def test_a_report_that_failed_is_shown_and_not_tried_again_by_looking(factory: Factory, browse: Browse) -> None:
    sent = {"dataset": factory.dataset().pk, "init_model": factory.model().pk}
    preview(browse, factory, **sent)
    DataReport.objects.update(status="failed", error="The file is gone.")

    page = preview(browse, factory, **sent)

    assert "The file is gone." in page
    assert "load delay:1s" not in page
    assert DataReport.objects.get().status == "failed"


def test_what_would_be_refused_is_said_beforehand(factory: Factory, browse: Browse, tmp_path: Path) -> None:
    model = factory.model(location=saved_model(tmp_path))

    page = preview(browse, factory, dataset=factory.dataset().pk, init_model=model.pk)

    assert "It would be refused." in page
    assert "the model has 64 positions" in page


@pytest.mark.parametrize("change", [{"learning_rate": "-1"}, {"learning_rate": "x"}, {"name": ""}, {"beta": ""}])
def test_a_form_that_is_not_right_yet_has_a_report_all_the_same(
    factory: Factory, browse: Browse, change: dict[str, str]
) -> None:
    sent = {"dataset": factory.dataset().pk, "init_model": factory.model().pk, **change}

    page = preview(browse, factory, **sent)

    assert "What the data hold" in page
    assert ("What it needs" in page) == ("name" in change)


def test_limits_that_are_no_numbers_wait(factory: Factory, browse: Browse) -> None:
    sent = {"dataset": factory.dataset().pk, "init_model": factory.model().pk, "max_prompt_tokens": "many"}

    assert "Choose data" in preview(browse, factory, **sent)


def test_the_runs_page_shows_report_estimate_and_what_it_was_made_with(factory: Factory, browse: Browse) -> None:
    report = factory.data_report()
    estimate = Estimate(num_steps=5, num_tokens=9e6, memory={"weights": 2.0**30}, disk={"data": 1e6}, seconds=90.0)
    run = factory.training_run(
        algorithm="dpo",
        dataset=report.dataset,
        data_report=report,
        estimate=estimate.as_json(),
        provenance={"code_revision": "abcdef0123456789", "packages": {"torch": "2.9.1"}, "python": "3.11.7"},
    )
    run.metrics.filter(kind="step", step=2).update(values={"loss": 1.0, "memory_mb": 512.0})

    page = browse(factory.alice()).get(f"/training/{run.pk}/").content.decode()

    for words in ("6 rows, 6 prompts", "1 min 30 s", "1.0 GiB", "488 MiB of memory at most", "abcdef012345…", "2.9.1"):
        assert words in page, words


def test_an_old_run_has_none_of_it_and_its_page_says_so(factory: Factory, browse: Browse) -> None:
    page = browse(factory.alice()).get(f"/training/{factory.training_run().pk}/").content.decode()

    assert "There is no report on the data of this run" in page
    assert "There is no estimate of this run" in page


def test_a_started_run_keeps_the_report_that_the_form_showed(factory: Factory, browse: Browse) -> None:
    sent = {"dataset": factory.dataset().pk, "init_model": factory.model().pk}
    preview(browse, factory, **sent)

    browse(factory.dana()).post("/training/start/", filled_in("dpo", **sent))

    assert TrainingRun.objects.get().data_report == DataReport.objects.get()
