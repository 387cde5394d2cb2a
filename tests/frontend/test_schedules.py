"""Pages of training schedules."""

from __future__ import annotations

from typing import Any

from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules import services
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses
from tests.pipeline.schedules import walk

SCHEDULES = "/training/schedules/"


def filled_in(factory: Factory, **fields: Any) -> dict[str, Any]:
    plan = factory.plan()
    return {
        "name": "nightly",
        "trigger": "either",
        "cron": "30 5 * * *",
        "timezone": "Europe/Berlin",
        "min_new_judgments": 500,
        "current_model": plan.current_model.pk,
        "algorithm": "dpo",
        "campaigns": [campaign.pk for campaign in plan.campaigns],
        "config": '{"beta": 0.2}',
        "filter": "{}",
        "seed": 0,
        "prompt_set": plan.prompt_set.pk,
        "judge": plan.judge.pk,
        "num_completions": 1,
        "temperature": 0.7,
        "max_new_tokens": 64,
        "min_margin": 2.5,
        "min_prompts": 2,
        **fields,
    }


def test_readers_read_and_engineers_write(factory: Factory, statuses: Statuses) -> None:
    firing = factory.firing()
    schedule = f"{SCHEDULES}{firing.schedule_id}/"
    assert statuses(SCHEDULES) == {**READERS_ONLY, "charlie": 200}
    assert statuses(f"{SCHEDULES}new/") == {**READERS_ONLY, "charlie": 200}
    for address in (schedule, f"{schedule}dry-run/", f"{schedule}edit/", f"{SCHEDULES}firings/{firing.pk}/"):
        assert statuses(address) == READERS_ONLY


def test_a_schedule_is_made_on_its_page_and_changed_there(factory: Factory, browse: Browse) -> None:
    dana = browse(factory.dana())
    sent = filled_in(factory)
    made = dana.post(f"{SCHEDULES}create/", sent)
    schedule = TrainingSchedule.objects.get()
    assert made["Location"] == f"{SCHEDULES}{schedule.pk}/"
    assert (schedule.cron, schedule.timezone, schedule.min_margin) == ("30 5 * * *", "Europe/Berlin", 0.025)
    edit = dana.get(f"{SCHEDULES}{schedule.pk}/edit/").content.decode()
    for shown in ('value="30 5 * * *"', 'value="2.5"', "&quot;beta&quot;: 0.2"):
        assert shown in edit
    changed = dana.post(f"{SCHEDULES}{schedule.pk}/change/", {**sent, "name": "weekly", "trigger": "count"})
    assert changed.status_code == 302
    schedule = TrainingSchedule.objects.get()
    assert (schedule.name, schedule.cron, schedule.min_new_judgments) == ("weekly", "", 500)


def test_what_is_refused_comes_back_with_the_reason_and_nothing_is_lost(factory: Factory, browse: Browse) -> None:
    dana, schedule = browse(factory.dana()), factory.schedule()
    for address in ("create/", f"{schedule.pk}/change/"):
        for fields, words in (
            ({"cron": "0 25 * * *"}, "cannot be read"),
            ({"config": "[]"}, "Write a JSON object"),
            ({"config": "{"}, "This is no JSON"),
            ({"config": '{"bta": 1}'}, "did you mean beta"),
            ({"campaigns": []}, "This field is required"),
        ):
            reply = dana.post(f"{SCHEDULES}{address}", filled_in(factory, name="unlucky", **fields))
            assert reply.status_code == 422
            assert words in reply.content.decode()
            assert 'value="unlucky"' in reply.content.decode()
    assert not TrainingSchedule.objects.filter(name="unlucky").exists()


def test_the_preview_shows_the_next_times_in_the_zone_and_what_speaks_against_it(
    factory: Factory, browse: Browse
) -> None:
    dana = browse(factory.dana(), htmx=True)
    shown = dana.post(f"{SCHEDULES}preview/", filled_in(factory)).content.decode()
    assert shown.count(", 05:30") == 5
    assert "At 05:30 AM Europe/Berlin" in shown
    assert "Nothing speaks against it" in shown
    refused = dana.post(f"{SCHEDULES}preview/", filled_in(factory, min_prompts=999)).content.decode()
    assert "no firing could decide" in refused
    assert refused.count(", 05:30") == 5
    assert "cannot be read" in dana.post(f"{SCHEDULES}preview/", filled_in(factory, cron="x 2 * * *")).content.decode()
    unfinished = dana.post(f"{SCHEDULES}preview/", {"trigger": "time", "cron": "0 1 * * *"}).content.decode()
    assert "Fill in every field" in unfinished
    assert not TrainingSchedule.objects.exists()


def test_a_workspace_without_parts_says_what_has_to_be_made_first(factory: Factory, browse: Browse) -> None:
    page = browse(factory.dana()).get(f"{SCHEDULES}new/").content.decode()
    assert "a model with weights, a campaign, a prompt set, a judge" in page


def test_the_dry_run_is_on_the_page_of_the_schedule(factory: Factory, browse: Browse) -> None:
    schedule, dana = walk.judged_schedule(factory), browse(factory.dana())
    assert f'hx-get="{SCHEDULES}{schedule.pk}/dry-run/"' in dana.get(f"{SCHEDULES}{schedule.pk}/").content.decode()
    shown = dana.get(f"{SCHEDULES}{schedule.pk}/dry-run/").content.decode()
    assert "It would fire." in shown
    assert "8 judgments, 8 of them new" in shown
    schedule.prompt_set.prompts.all().delete()
    assert "It would fail: " in dana.get(f"{SCHEDULES}{schedule.pk}/dry-run/").content.decode()


def test_buttons_run_pause_and_resume(factory: Factory, browse: Browse) -> None:
    schedule, dana = walk.judged_schedule(factory), browse(factory.dana())
    address = f"{SCHEDULES}{schedule.pk}/"
    ran = dana.post(f"{address}run/")
    firing = ScheduleFiring.objects.get()
    assert ran["Location"] == f"{SCHEDULES}firings/{firing.pk}/"
    assert "is under way" in dana.get(address).content.decode()
    assert dana.post(f"{address}pause/")["Location"] == address
    assert "Resume" in dana.get(address).content.decode()
    assert dana.post(f"{address}pause/").status_code == 409
    assert dana.post(f"{address}resume/")["Location"] == address
    assert browse(factory.bob()).post(f"{address}run/").status_code == 404


def test_a_firing_shows_its_steps_follows_itself_and_can_be_cancelled(factory: Factory, browse: Browse) -> None:
    dana = browse(factory.dana(), htmx=True)
    firing = walk.fire(walk.judged_schedule(factory))
    address = f"{SCHEDULES}firings/{firing.pk}/"
    shown = dana.get(address).content.decode()
    assert "every 2s" in shown
    assert "<html" not in shown
    assert f'href="/datasets/{firing.dataset_id}/"' in shown
    assert [shown.count(f"step-{state}") for state in ("running", "waiting")] == [1, 3]
    assert dana.post(f"{address}cancel/")["Location"] == address
    assert "every 2s" not in dana.get(address).content.decode()
    assert dana.post(f"{address}cancel/").status_code == 409


def test_a_decision_is_explained_with_its_figures(factory: Factory, browse: Browse) -> None:
    firing = walk.to_the_end(walk.fire(walk.judged_schedule(factory)))
    dana = browse(factory.dana())
    page = dana.get(f"{SCHEDULES}firings/{firing.pk}/").content.decode()
    assert "+50.0 points" in page
    assert "excludes zero" in page
    assert f'href="/models/{firing.candidate_id}/"' in page
    for run in ("training_run", "sampling_run", "evaluation_run"):
        assert str(getattr(firing, run)) in page
    history = dana.get(f"{SCHEDULES}{firing.schedule_id}/").content.decode()
    assert "+50.0" in history
    assert "Promoted" in history


def test_skipped_and_failed_firings_say_why(factory: Factory, browse: Browse) -> None:
    skipped = walk.fire(factory.schedule())
    failed = factory.firing(status="failed", step="freeze", error="The judge has gone.")
    dana = browse(factory.dana())
    for firing, words in ((skipped, "0 judgments are new since"), (failed, "The judge has gone.")):
        assert words in dana.get(f"{SCHEDULES}firings/{firing.pk}/").content.decode()
        assert words in dana.get(f"{SCHEDULES}{firing.schedule_id}/").content.decode()
    assert "step-failed" in dana.get(f"{SCHEDULES}firings/{failed.pk}/").content.decode()


def test_the_list_shows_state_next_time_and_last_firing(factory: Factory, browse: Browse) -> None:
    factory.firing(factory.schedule("by night"))
    services.pause(schedule=factory.schedule("resting"))
    page = browse(factory.dana()).get(SCHEDULES).content.decode()
    assert "02:00 UTC" in page
    assert "Model kept" in page
    assert "Paused" in page
    assert "not yet" in page


def test_a_failure_stands_on_the_overview_until_somebody_tries_again(factory: Factory, browse: Browse) -> None:
    schedule = walk.judged_schedule(factory)
    firing = factory.firing(schedule, status="failed", error="No row is left.", finished_at=schedule.created_at)
    dana = browse(factory.dana())
    for path in ("/", "/training/schedules/"):
        page = dana.get(path).content.decode()
        assert f'href="/training/schedules/firings/{firing.pk}/"' in page
        assert "No row is left." in page
    assert "Try again" in dana.get(f"/training/schedules/firings/{firing.pk}/").content.decode()
    assert browse(factory.bob()).post(f"/training/schedules/firings/{firing.pk}/retry/").status_code == 404
    assert dana.post(f"/training/schedules/firings/{firing.pk}/retry/").status_code == 302
    firing.refresh_from_db()
    assert (firing.status, firing.step) == ("running", "freeze")
    assert "No row is left." not in dana.get("/").content.decode()


def test_a_schedule_is_deleted_from_its_page(factory: Factory, browse: Browse) -> None:
    schedule = factory.schedule()
    assert browse(factory.charlie()).post(f"/training/schedules/{schedule.pk}/delete/").status_code == 404
    assert browse(factory.dana()).post(f"/training/schedules/{schedule.pk}/delete/").status_code == 302
    assert not TrainingSchedule.objects.exists()
