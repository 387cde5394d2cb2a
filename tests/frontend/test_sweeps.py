"""Pages of sweeps."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models import TrainingSweep
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses
from training.models import TrainingRun


def sent(factory: Factory, **changes: Any) -> dict[str, Any]:
    return {
        "name": "betas",
        "algorithm": "dpo",
        "grid": "beta = 0.1, 0.2\n\nlearning_rate = 1e-5, 1e-4",
        "num_seeds": "1",
        "seed": "0",
        "dataset": factory.dataset().pk,
        "init_model": factory.model().pk,
        "config": "{}",
        **changes,
    }


def test_readers_alone_see_the_pages(factory: Factory, browse: Browse, statuses: Statuses) -> None:
    sweep = factory.sweep("nightly sweep")
    assert statuses(f"/training/sweeps/{sweep.pk}/") == READERS_ONLY
    for path in ("", "new/"):  # Charlie has them too, of his own workspace
        assert statuses(f"/training/sweeps/{path}") == {**READERS_ONLY, "charlie": 200}
    assert "nightly sweep" not in browse(factory.charlie()).get("/training/sweeps/").content.decode()


def test_the_form_starts_a_sweep_and_leads_to_its_page(factory: Factory, browse: Browse) -> None:
    dana = browse(factory.dana())
    response = dana.post("/training/sweeps/create/", sent(factory))
    sweep = TrainingSweep.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/training/sweeps/{sweep.pk}/")
    assert sweep.grid == {"beta": [0.1, 0.2], "learning_rate": [1e-5, 1e-4]}
    page = dana.get(response["Location"]).content.decode()
    assert "4 queued" in page
    assert "betas 4" in page
    assert "Cancel all" in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grid": "beta: 1, 2"}, "such as beta = 0.05"),
        ({"grid": "bta = 1, 2"}, "did you mean beta"),
        ({"config": "{"}, "This is no JSON"),
        ({"dataset": ""}, "Choose what to train on"),
        ({"init_model": ""}, "starts from a model"),
        ({"grid": "beta = 0.1, -1"}, "beta must be positive"),
    ],
)
def test_what_was_refused_comes_back_with_the_reason(
    factory: Factory, browse: Browse, changes: dict[str, Any], words: str
) -> None:
    response = browse(factory.dana()).post("/training/sweeps/create/", sent(factory, **changes))
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not TrainingSweep.objects.exists()


def test_data_of_a_foreign_workspace_cannot_be_chosen(factory: Factory, browse: Browse) -> None:
    response = browse(factory.charlie()).post("/training/sweeps/create/", sent(factory))
    assert response.status_code in {404, 422}
    assert not TrainingRun.objects.exists()


def test_the_preview_counts_the_runs_and_names_what_is_wrong(factory: Factory, browse: Browse) -> None:
    dana = browse(factory.dana(), htmx=True)
    said = dana.post("/training/sweeps/preview/", sent(factory, name="", num_seeds="2")).content.decode()
    assert "8 runs" in said
    assert "learning_rate" in said
    wrong = dana.post("/training/sweeps/preview/", sent(factory, grid="beta = 0.1, -1")).content.decode()
    assert "At beta -1: beta must be positive" in wrong
    assert dana.post("/training/sweeps/preview/", {}).status_code == 200
    assert dana.post("/training/sweeps/preview/", {"algorithm": "dqo"}).status_code == 200


def test_the_form_begins_with_the_settings_of_a_run(factory: Factory, browse: Browse) -> None:
    config = {"learning_rate": 0.5, "batch_size": 32}
    run = factory.training_run("a run", algorithm="dpo", config=config, seed=3)
    page = browse(factory.dana()).get(f"/training/sweeps/new/?run={run.pk}").content.decode()
    assert 'value="a run sweep"' in page
    assert "&quot;learning_rate&quot;: 0.5" in page
    assert "batch_size" not in page  # it is the default's
    foreign = factory.training_run(workspace=factory.workspace("Elsewhere"))
    assert browse(factory.dana()).get(f"/training/sweeps/new/?run={foreign.pk}").status_code == 404
    assert browse(factory.dana()).get("/training/sweeps/new/?run=x").status_code == 200


def test_the_page_plots_the_figure_along_either_setting(factory: Factory, browse: Browse) -> None:
    sweep = factory.sweep(grid={"beta": [0.1, 0.2], "learning_rate": [1e-5, 1e-4, 1e-3]})
    dana = browse(factory.dana())
    page = dana.get(f"/training/sweeps/{sweep.pk}/").content.decode()
    assert page.count("<circle") == 6
    assert page.count("<polyline") == 2
    assert "6 finished" in page
    assert "Cancel all" not in page
    assert 'hx-trigger="every' not in page
    along = dana.get(f"/training/sweeps/{sweep.pk}/?along=beta&metric=nonsense").content.decode()
    assert along.count("<polyline") == 3


def test_a_sweep_that_runs_is_looked_at_again(factory: Factory, browse: Browse) -> None:
    sweep = factory.sweep(status="running")
    fragment = browse(factory.dana(), htmx=True).get(f"/training/sweeps/{sweep.pk}/").content.decode()
    assert 'hx-trigger="every 3s"' in fragment
    assert "<html" not in fragment


def test_all_runs_are_cancelled_at_once(factory: Factory, browse: Browse) -> None:
    sweep = factory.sweep(status="queued")
    assert browse(factory.bob()).post(f"/training/sweeps/{sweep.pk}/cancel/").status_code == 404
    assert browse(factory.dana()).post(f"/training/sweeps/{sweep.pk}/cancel/").status_code == 302
    assert set(TrainingRun.objects.values_list("status", flat=True)) == {"cancelled"}
    assert browse(factory.dana()).post(f"/training/sweeps/{sweep.pk}/cancel/").status_code == 409


def test_a_run_leads_to_its_sweep_and_others_to_a_new_one(factory: Factory, browse: Browse) -> None:
    dana, sweep = browse(factory.dana()), factory.sweep("betas")
    swept = dana.get(f"/training/{sweep.swept_runs.all()[0].run_id}/").content.decode()
    assert f'href="/training/sweeps/{sweep.pk}/"' in swept
    alone = factory.training_run()
    assert f'href="/training/sweeps/new/?run={alone.pk}"' in dana.get(f"/training/{alone.pk}/").content.decode()
