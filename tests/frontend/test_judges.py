"""Pages of judges: what they are, what they replied, how good they are."""

from __future__ import annotations

from annotation import judge_versions, quality_pauses
from annotation.models import Annotator, Campaign, JudgingRun, Routing
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses


def calibrated(factory: Factory) -> tuple[Campaign, Annotator, JudgingRun]:
    """A campaign in which Bob and an LLM judge have judged the only comparison."""
    campaign = factory.campaign(num_comparisons=1)
    run = factory.judge_records(campaign)
    factory.judgment(campaign.slots.get())
    return campaign, run.annotator, run


def form(factory: Factory, **fields: object) -> dict[str, object]:
    model = factory.model("Served", source="served", endpoint_url="https://models.example.org/v1")
    plain = {"orders": "both", "conflict": "tie", "num_samples": 1, "temperature": 0, "num_retries": 2, "others": "{}"}
    return {"name": "Careful", "model": model.pk, "protocol": "pairwise_reasoning", **plain, **fields}


def test_readers_alone_see_judges_and_their_replies(factory: Factory, statuses: Statuses) -> None:
    campaign, judge, run = calibrated(factory)
    assert statuses("/judges/") == {**READERS_ONLY, "charlie": 200}
    for url in (
        f"/judges/{judge.pk}/",
        f"/judging-runs/{run.pk}/calls/",
        f"/campaigns/{campaign.pk}/judges/",
        f"/campaigns/{campaign.pk}/judges/{judge.pk}/",
        f"/campaigns/{campaign.pk}/judges/{judge.pk}/figures/",
    ):
        assert statuses(url) == READERS_ONLY


def test_a_judges_page_shows_its_template_and_what_its_calls_came_to(factory: Factory, browse: Browse) -> None:
    _, judge, run = calibrated(factory)
    page = browse(factory.dana()).get(f"/judges/{judge.pk}/").content.decode()
    assert "You are an impartial judge" in page
    assert "2 calls of this version: verdict 2" in page
    assert "New version" not in page
    calls = browse(factory.dana()).get(f"/judging-runs/{run.pk}/calls/?outcome=verdict").content.decode()
    assert "&lt;&lt;&lt;REPLY A" in calls
    assert "0.001008" in calls
    assert (
        "No call was read like this"
        in browse(factory.dana()).get(f"/judging-runs/{run.pk}/calls/?outcome=refused").content.decode()
    )


def test_calibration_holds_the_judge_against_people(factory: Factory, browse: Browse) -> None:
    campaign, judge, _ = calibrated(factory)
    page = browse(factory.alice()).get(f"/campaigns/{campaign.pk}/judges/{judge.pk}/").content.decode()
    assert "agrees with people" in page
    assert "No comparison was judged by two people" in page
    assert "2 calls for 1 judgments" in page
    figures = browse(factory.alice()).get(f"/campaigns/{campaign.pk}/judges/{judge.pk}/figures/").json()
    assert figures["reliability"] == [
        {"label": 1.0, "outcome": 1.0, "interval": figures["reliability"][0]["interval"], "n": 1}
    ]
    assert figures["routing"][0]["kept"] == 1.0


def test_a_manager_makes_a_judge_and_its_next_version(factory: Factory, browse: Browse) -> None:
    alice = browse(factory.alice())
    assert "New judge" in alice.get("/judges/new/").content.decode()
    wanted = form(factory, others='{"tie_margin": 0.1}', prompt_price="2", reply_price="8")
    assert alice.post("/judges/create/", wanted).status_code == 302
    judge = Annotator.objects.get(name="Careful")
    assert judge.versions.get().spec["tie_margin"] == 0.1
    assert alice.post(f"/judges/{judge.pk}/change/", {**wanted, "conflict": "abstain"}).status_code == 302
    assert list(judge.versions.values_list("number", "spec__conflict")) == [(2, "abstain"), (1, "tie")]


def test_what_makes_no_judge_comes_back_with_the_reason(factory: Factory, browse: Browse) -> None:
    alice = browse(factory.alice())
    wanted = form(factory)
    for changes, words in (
        ({"others": "{"}, "This is no JSON"),
        ({"others": '{"orders": "both"}'}, "a field of its own"),
        ({"others": '{"mood": "good"}'}, "Unknown fields of a judge: mood"),
        ({"num_samples": 3}, "several samples at temperature 0"),
        ({"prompt_price": 2}, "or neither"),
    ):
        reply = alice.post("/judges/create/", {**wanted, **changes})
        assert reply.status_code == 422
        assert words.lower() in reply.content.decode().lower()
    assert not Annotator.objects.filter(kind="judge").exists()


def test_only_managers_make_judges(factory: Factory, browse: Browse) -> None:
    for user in (factory.dana(), factory.bob()):
        assert browse(user).post("/judges/create/", form(factory) if user == factory.dana() else {}).status_code == 404
    judge = factory.llm_judge()
    assert browse(factory.dana()).post(f"/judges/{judge.pk}/change/", {}).status_code == 403


def test_runs_are_started_from_the_campaign(factory: Factory, browse: Browse) -> None:
    campaign, judge = factory.campaign(num_comparisons=1), factory.llm_judge()
    alice = browse(factory.alice())
    wanted = {"judge": judge.pk, "kind": "calibrate"}
    assert alice.post(f"/campaigns/{campaign.pk}/judges/start/", wanted).status_code == 302
    assert JudgingRun.objects.get().kind == "calibrate"
    rubric = {"judge": factory.judge().pk, "kind": "attack"}
    refused = alice.post(f"/campaigns/{campaign.pk}/judges/start/", rubric)
    assert "no language model" in refused.content.decode()
    assert browse(factory.dana()).post(f"/campaigns/{campaign.pk}/judges/start/", wanted).status_code == 403


def test_a_judge_whose_model_lies_here_can_have_a_server_of_its_own(factory: Factory, browse: Browse) -> None:
    campaign, remote = factory.campaign(num_comparisons=1), factory.llm_judge()
    alice, address = browse(factory.alice()), f"/campaigns/{campaign.pk}/judges/"
    assert "uses_managed_server" not in alice.get(address).content.decode()
    local = judge_versions.create_llm_judge(
        workspace=campaign.workspace, name="Local", protocol="pairwise_verdict", model=factory.model()
    )
    assert "uses_managed_server" in alice.get(address).content.decode()
    refused = alice.post(f"{address}start/", {"judge": remote.pk, "kind": "answer", "uses_managed_server": "on"})
    assert "no weights here" in refused.content.decode()
    alice.post(f"{address}start/", {"judge": local.pk, "kind": "answer", "uses_managed_server": "on"})
    run = JudgingRun.objects.get()
    assert run.uses_managed_server
    assert "started for this run" in alice.get(f"/judging-runs/{run.pk}/").content.decode()


def test_routing_is_set_and_stopped(factory: Factory, browse: Browse) -> None:
    campaign, judge = factory.campaign(num_comparisons=2), factory.llm_judge()
    alice, url = browse(factory.alice()), f"/campaigns/{campaign.pk}"
    wanted = {"judge": judge.pk, "min_margin": 0.2, "audit_share": 0.1, "seed": 0}
    assert alice.post(f"{url}/routing/", {**wanted, "min_margin": 3}).status_code == 422
    assert alice.post(f"{url}/routing/", wanted).status_code == 302
    assert Routing.objects.get().min_margin == 0.2
    assert "Judgments of people held back" in alice.get(f"{url}/judges/").content.decode()
    assert browse(factory.dana()).post(f"{url}/routing/stop/").status_code == 403
    assert alice.post(f"{url}/routing/stop/").status_code == 302
    assert not Routing.objects.exists()


def test_stored_replies_are_read_again_at_a_managers_wish(factory: Factory, browse: Browse) -> None:
    _, _, run = calibrated(factory)
    run.calls.update(outcome="unparsed")
    assert browse(factory.dana()).post(f"/judging-runs/{run.pk}/reread/").status_code == 403
    said = browse(factory.alice()).post(f"/judging-runs/{run.pk}/reread/", follow=True).content.decode()
    assert "2 are understood otherwise" in said


def test_a_manager_tests_injection_from_the_judges_page(factory: Factory, browse: Browse) -> None:
    judge = factory.llm_judge()
    address = f"/judges/{judge.pk}/injection-test/"
    assert "make one first" in browse(factory.alice()).post(address, follow=True).content.decode()
    factory.campaign()
    assert browse(factory.alice()).post(address).status_code == 302
    assert judge.judging_runs.get().kind == "attack"
    assert browse(factory.dana()).post(address).status_code == 403
    assert "Test injection" in browse(factory.alice()).get(f"/judges/{judge.pk}/").content.decode()
    assert "Test injection" not in browse(factory.dana()).get(f"/judges/{judge.pk}/").content.decode()


def test_a_paused_judge_is_marked_with_the_reason_in_its_campaign(factory: Factory, browse: Browse) -> None:
    run = factory.judge_records()
    page = browse(factory.alice()).get(f"/campaigns/{run.campaign_id}/judges/").content.decode()
    assert ">paused<" not in page
    quality_pauses.pause(campaign=run.campaign, annotator=run.annotator, kind="manager", reason="Agrees with nobody")

    page = browse(factory.alice()).get(f"/campaigns/{run.campaign_id}/judges/").content.decode()

    assert ">paused<" in page
    assert "Agrees with nobody" in page
