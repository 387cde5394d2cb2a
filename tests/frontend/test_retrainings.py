"""Training again without some annotators, from the page of a checkpoint."""

from __future__ import annotations

from core import jobs
from tests.factory import Factory
from tests.factory.traces import traced
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses
from training import retraining
from training.models import Metric, Retraining


def test_ticked_annotators_are_left_out(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["AA", "A-"])
    dana = browse(factory.dana())
    page = dana.get(f"/checkpoints/{made.checkpoint.pk}/").content.decode()
    assert "Train again without them" in page

    answer = dana.post(f"/training/{made.run.pk}/retrain/", {"annotator": [made.annotators[1].pk]})

    found = Retraining.objects.get()
    assert answer.headers["Location"] == f"/retrainings/{found.pk}/"
    assert list(found.excluded.all()) == [made.annotators[1]]
    assert f'href="/retrainings/{found.pk}/"' in dana.get(f"/checkpoints/{made.checkpoint.pk}/").content.decode()


def test_nobody_ticked_is_explained(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["AA"])

    answer = browse(factory.dana()).post(f"/training/{made.run.pk}/retrain/", {"annotator": ["x", "9" * 30]})

    assert answer.status_code == 422
    assert "Nobody was chosen" in answer.content.decode()


def test_labelers_and_strangers_cannot_retrain(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["AA"])
    for user in (factory.bob(), factory.charlie()):
        assert browse(user).post(f"/training/{made.run.pk}/retrain/").status_code == 404


def test_the_page_shows_what_changed_and_both_runs_side_by_side(
    factory: Factory, browse: Browse, statuses: Statuses
) -> None:
    made = traced(factory, ["AA", "A-"], name="RM")
    found = retraining.start_retraining(run=made.run, annotators=made.annotators[:1])
    jobs.perform(Retraining, found.pk, retraining.retrain)
    found.refresh_from_db()
    assert found.run is not None
    values = {"held_out_accuracy": 0.625}
    Metric.objects.create(run=found.run, kind="evaluation", step=3, values=values, recorded_at=found.created_at)

    page = browse(factory.dana()).get(f"/retrainings/{found.pk}/").content.decode()

    assert "2 → 1" in page
    assert "held out accuracy" in page
    assert "0.750" in page
    assert "0.625" in page
    assert f'href="/training/{found.run_id}/"' in page
    assert "trained again instead of" in browse(factory.dana()).get(f"/training/{found.run_id}/").content.decode()
    assert statuses(f"/retrainings/{found.pk}/") == READERS_ONLY


def test_one_that_waits_can_be_cancelled(factory: Factory, browse: Browse) -> None:
    made = traced(factory, ["AA"])
    found = retraining.start_retraining(run=made.run, annotators=made.annotators[:1])

    browse(factory.dana()).post(f"/retrainings/{found.pk}/cancel/")

    found.refresh_from_db()
    assert found.status == "cancelled"
