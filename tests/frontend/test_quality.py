"""The quality, adjudication and gold pages of a campaign."""

from __future__ import annotations

import json
import re

import pytest

from annotation import adjudication, quality_pauses
from annotation.models import Alert, Annotator, Campaign, Comparison, ConsensusRun, Enrolment, Judgment
from annotation.question import demonstration, ranking, rating
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses


@pytest.mark.parametrize("ending", ["quality/", "figures/", "adjudication/", "gold/", "quality/served/"])
def test_readers_alone_see_the_pages(factory: Factory, statuses: Statuses, ending: str) -> None:
    assert statuses(f"/campaigns/{factory.judged_campaign().pk}/{ending}") == READERS_ONLY


def test_readers_alone_see_a_disputed_comparison(factory: Factory, statuses: Statuses) -> None:
    campaign = factory.judged_campaign()
    assert statuses(f"/campaigns/{campaign.pk}/adjudication/{campaign.comparisons.latest('pk').pk}/") == READERS_ONLY


@pytest.mark.parametrize(
    "ending",
    [
        "quality/consensus/",
        "alerts/{alert}/resolve/",
        "annotators/{bob}/pause/",
        "annotators/{bob}/resume/",
        "annotators/{bob}/uphold/",
        "adjudication/{comparison}/take/",
        "adjudication/{comparison}/decide/",
        "adjudication/{comparison}/release/",
        "adjudication/{comparison}/reopen/",
        "gold/unanimous/",
        "gold/{comparison}/promote/",
        "gold/{comparison}/demote/",
    ],
)
def test_managers_alone_act(factory: Factory, browse: Browse, ending: str) -> None:
    campaign, bob = factory.judged_campaign(), factory.person()
    alert = quality_pauses.raise_alert(campaign=campaign, annotator=bob, kind="speed", message="too fast")
    comparison = campaign.comparisons.latest("pk")
    path = f"/campaigns/{campaign.pk}/" + ending.format(alert=alert.pk, bob=bob.pk, comparison=comparison.pk)

    statuses = [browse(user).post(path).status_code for user in (factory.dana(), factory.bob(), factory.charlie())]

    assert statuses == [403, 404, 404]
    assert not Alert.objects.filter(resolved_at__isnull=False).exists()
    assert not Comparison.objects.filter(gold__isnull=False).exists()


def test_the_annotator_table_gives_every_figure_or_its_reason(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign(num_comparisons=4, judges=2)

    page = browse(factory.alice()).get(f"/campaigns/{campaign.pk}/quality/").content.decode()

    assert "75 %<small>30 % – 95 %</small>" in page  # Wilson's interval of 3 of 4
    assert "nothing was judged yet" in page  # Bob
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)


@pytest.mark.parametrize("question", [ranking(3), rating(7), demonstration()], ids=lambda question: question.kind)
def test_every_kind_of_question_has_its_pages(factory: Factory, browse: Browse, question: object) -> None:
    campaign = factory.campaign(question=question, num_comparisons=2, overlap=2)  # type: ignore[arg-type]
    client = browse(factory.alice())

    for ending in ("", "quality/", "figures/", "adjudication/", "gold/"):
        reply = client.get(f"/campaigns/{campaign.pk}/{ending}")
        assert reply.status_code == 200, ending
        assert not re.search(r"\bnan\b", reply.content.decode(), re.IGNORECASE)


def test_the_figures_are_json_without_undefined_numbers(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign(num_comparisons=4, judges=2)

    text = browse(factory.alice()).get(f"/campaigns/{campaign.pk}/figures/").content.decode()
    figures = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    assert figures["confusion"]["names"] == ["A better", "tied", "B better"]
    assert figures["confusion"]["counts"] == [[6, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert figures["agreement"]["points"][0]["value"] == 0.75
    assert sum(figures["throughput"]["counts"]["Judge"]) == 8


def test_imported_annotators_are_labelled_without_the_name_of_the_import(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign(num_comparisons=2, judges=3)
    for judge, name in zip(campaign.enrolments.order_by("pk"), ["votes · a1", "votes · b2", "GPT-4"], strict=False):
        Annotator.objects.filter(pk=judge.annotator_id).update(name=name)

    matrix = browse(factory.alice()).get(f"/campaigns/{campaign.pk}/figures/").json()["matrix"]

    assert sorted(matrix["names"]) == ["GPT-4", "votes · a1", "votes · b2"]
    assert sorted(matrix["labels"]) == ["GPT-4", "a1", "b2"]


def test_a_manager_takes_a_disputed_comparison_sees_the_votes_and_decides(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign()
    client, comparison = browse(factory.alice()), campaign.comparisons.latest("pk")
    path = f"/campaigns/{campaign.pk}/adjudication/{comparison.pk}/"
    assert "B is better" in client.get(path).content.decode()

    client.post(f"{path}take/")
    page = client.get(path).content.decode()
    fields = {name: re.search(rf'name="{name}" value="([^"]+)"', page)[1] for name in ("token", "key")}  # type: ignore[index]
    reply = client.post(f"{path}decide/", {**fields, "answer": '{"tiers": [[1], [0]]}', "rationale": "It answers."})

    assert reply["Location"] == f"/campaigns/{campaign.pk}/adjudication/"
    judgment = Judgment.objects.get(purpose="adjudication")
    assert judgment.answer == {"tiers": [[1], [0]], "rationale": "It answers."}
    assert "It answers." in client.get(path).content.decode()


def test_a_ranking_is_decided_by_numbers(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign(question=ranking(3))
    client, comparison = browse(factory.alice()), campaign.comparisons.latest("pk")
    slot = adjudication.take(comparison=comparison, annotator=factory.person(factory.alice()))

    posted = {"token": str(slot.token), "key": "k", "rank_0": "2", "rank_1": "1", "rank_2": "2"}
    client.post(f"/campaigns/{campaign.pk}/adjudication/{comparison.pk}/decide/", posted)

    assert Judgment.objects.get(purpose="adjudication").answer == {"tiers": [[1], [0, 2]]}


def test_gold_is_promoted_by_hand_shown_and_demoted(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign()
    client, comparison = browse(factory.alice()), campaign.comparisons.earliest("pk")
    path = f"/campaigns/{campaign.pk}/gold/"

    client.post(f"{path}{comparison.pk}/promote/", {"answer": '{"tiers": [[0], [1]]}', "note": "It is right."})
    comparison.refresh_from_db()
    assert (comparison.gold, comparison.gold_note) == ({"tiers": [[0], [1]]}, "It is right.")
    assert "It is right." in client.get(path).content.decode()

    client.post(f"{path}{comparison.pk}/demote/")
    comparison.refresh_from_db()
    assert comparison.gold is None


def test_what_everybody_said_becomes_gold(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign(num_comparisons=4, judges=2)

    browse(factory.alice()).post(f"/campaigns/{campaign.pk}/gold/unanimous/", {"min_judgments": "2"})

    assert Comparison.objects.filter(campaign=campaign, gold__isnull=False).count() == 3


def test_a_gold_item_that_most_miss_is_called_suspect(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=1, overlap=3)
    comparison = campaign.comparisons.get()
    for slot, annotator in zip(comparison.slots.all(), [factory.judge() for _ in range(3)], strict=True):
        slot.purpose = "gold"
        factory.judgment(slot, annotator, tiers=[[1], [0]])
    Comparison.objects.filter(pk=comparison.pk).update(gold={"tiers": [[0], [1]]})

    assert "suspect" in browse(factory.alice()).get(f"/campaigns/{campaign.pk}/gold/").content.decode()


def test_a_pause_its_dispute_and_its_end(factory: Factory, browse: Browse) -> None:
    campaign, bob = factory.campaign(), factory.person()
    client = browse(factory.alice())

    client.post(f"/campaigns/{campaign.pk}/annotators/{bob.pk}/pause/", {"reason": "chose the left reply"})
    quality_pauses.dispute(campaign=campaign, annotator=bob, text="I read <b>both</b>.")
    page = client.get(f"/campaigns/{campaign.pk}/quality/").content.decode()
    assert "chose the left reply" in page
    assert "I read &lt;b&gt;both&lt;/b&gt;." in page

    client.post(f"/campaigns/{campaign.pk}/annotators/{bob.pk}/uphold/", {"answer": "Look again."})
    assert "Look again." in Enrolment.objects.get(annotator=bob).pause_reason
    client.post(f"/campaigns/{campaign.pk}/annotators/{bob.pk}/resume/")
    assert Enrolment.objects.get(annotator=bob).is_active


def test_an_alert_is_resolved(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign()
    alert = quality_pauses.raise_alert(campaign=campaign, annotator=factory.person(), kind="speed", message="Too fast.")
    client = browse(factory.alice())
    assert "Too fast." in client.get(f"/campaigns/{campaign.pk}/quality/").content.decode()

    client.post(f"/campaigns/{campaign.pk}/alerts/{alert.pk}/resolve/")

    assert "Too fast." not in client.get(f"/campaigns/{campaign.pk}/quality/").content.decode()


def test_consensus_is_started_from_the_page(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign()

    browse(factory.alice()).post(f"/campaigns/{campaign.pk}/quality/consensus/", {"method": "majority"})

    assert ConsensusRun.objects.get().campaign == campaign


def test_an_operator_asks_why_a_task_was_served_and_why_there_is_none(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()
    Campaign.objects.filter(pk=slot.campaign_id).update(status="paused")
    client, path = browse(factory.alice()), f"/campaigns/{slot.campaign_id}/quality/served/"

    assert "not served by the queue" in client.get(f"{path}?comparison={slot.comparison_id}").content.decode()
    assert "This campaign is paused" in client.get(f"{path}?annotator={slot.annotator_id}").content.decode()
    assert "Name a comparison" in client.get(path).content.decode()
