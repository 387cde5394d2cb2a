"""Pages of guard runs."""

from __future__ import annotations

from generation.models import GuardRun, LanguageModel
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses


def test_readers_see_what_was_flagged(factory: Factory, browse: Browse, statuses: Statuses) -> None:
    run = factory.guard_run()
    assert statuses(f"/guard-runs/{run.pk}/") == READERS_ONLY
    page = browse(factory.dana()).get(f"/guard-runs/{run.pk}/").content.decode()
    assert "1 of 1 checked" in page
    assert "weapons 1" in page


def test_engineers_start_a_check_of_a_set_and_of_a_run(factory: Factory, browse: Browse) -> None:
    prompt_set, sampling_run = factory.prompt_set(num_prompts=1), factory.sampling_run()
    guard = factory.model("Guard", kind=LanguageModel.Kind.GUARD)
    dana = browse(factory.dana())
    assert "Check by" in dana.get(f"/prompt-sets/{prompt_set.pk}/").content.decode()
    assert "Guard (guard)" in dana.get(f"/sampling-runs/{sampling_run.pk}/").content.decode()
    assert dana.post("/guard-runs/start/", {"prompt_set": prompt_set.pk, "guard": ""}).status_code == 302
    assert dana.post("/guard-runs/start/", {"sampling_run": sampling_run.pk, "guard": guard.pk}).status_code == 302
    started = GuardRun.objects.order_by("pk").values_list("prompt_set", "sampling_run", "style", "guard")
    assert list(started) == [(prompt_set.pk, None, "rules", None), (None, sampling_run.pk, "native", guard.pk)]


def test_rules_of_ones_own_are_used_and_offered_again(factory: Factory, browse: Browse) -> None:
    prompt_set, dana = factory.prompt_set(num_prompts=1), browse(factory.dana())
    assert "[self-harm]\nsuicide\n" in dana.get(f"/prompt-sets/{prompt_set.pk}/").content.decode()
    text = "[medicine]\r\noverdose\r\n/\\d+ ?mg/"
    assert dana.post("/guard-runs/start/", {"prompt_set": prompt_set.pk, "guard": "", "rules": text}).status_code == 302
    run = GuardRun.objects.get()
    assert run.rules == [{"label": "medicine", "words": ["overdose"], "patterns": [r"\d+ ?mg"]}]
    assert "<pre>[medicine]\noverdose\n/\\d+ ?mg/</pre>" in dana.get(f"/guard-runs/{run.pk}/").content.decode()
    assert "[medicine]\noverdose\n" in dana.get(f"/prompt-sets/{prompt_set.pk}/").content.decode()


def test_rules_that_cannot_be_used_are_refused_with_the_reason(factory: Factory, browse: Browse) -> None:
    body = {"prompt_set": factory.prompt_set(num_prompts=1).pk, "guard": "", "rules": "overdose"}
    reply = browse(factory.dana()).post("/guard-runs/start/", body)
    assert reply.status_code == 422
    assert "line 1 stands under no label" in reply.content.decode()
    assert not GuardRun.objects.exists()


def test_others_start_none(factory: Factory, browse: Browse) -> None:
    prompt_set = factory.prompt_set(num_prompts=1)
    for user, status in ((factory.bob(), 404), (factory.charlie(), 404)):
        assert browse(user).post("/guard-runs/start/", {"prompt_set": prompt_set.pk}).status_code == status
    assert browse(factory.dana()).post("/guard-runs/start/", {"prompt_set": "x"}).status_code == 404
    assert not GuardRun.objects.exists()


def test_a_run_is_cancelled(factory: Factory, browse: Browse) -> None:
    run = factory.guard_run(status="running")
    assert browse(factory.dana()).post(f"/guard-runs/{run.pk}/cancel/").status_code == 302
    run.refresh_from_db()
    assert run.is_cancel_requested
