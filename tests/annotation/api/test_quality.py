"""Consensus, statistics, alerts and pauses over REST."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from annotation import consensus, quality_pauses
from annotation.models import Consensus, ConsensusRun, Enrolment, Judgment
from core import jobs
from tests.factory import Factory

Api = Callable[..., APIClient]
RUNS = "/api/v1/consensus-runs"


def test_a_consensus_run_is_started_with_its_parameters_and_its_rows_are_listed(factory: Factory, api: Api) -> None:
    campaign = factory.judged_campaign(num_comparisons=4)
    client = api(factory.alice())

    body = {"campaign": campaign.pk, "method": "majority", "parameters": {"even": "undecided"}}
    started = client.post(RUNS, body).json()
    claimed = jobs.claim(ConsensusRun, started["id"])
    assert claimed is not None
    consensus.aggregate(claimed)
    rows = client.get(f"{RUNS}/{started['id']}/rows").json()

    assert (started["status"], started["parameters"]["even"]) == ("queued", "undecided")
    assert rows["count"] == Consensus.objects.count() == 4
    assert [row["tiers"] for row in rows["results"]] == [[[0], [1]]] * 3 + [None]
    assert rows["results"][0]["judgment_ids"] == list(
        campaign.comparisons.earliest("pk").judgments.values_list("pk", flat=True)
    )
    assert rows["results"][3]["reason"]


def test_rows_of_a_run_can_be_filtered(factory: Factory, api: Api) -> None:
    run = factory.consensus_run()
    first, second = run.campaign.comparisons.order_by("pk")[:2]
    Consensus.objects.create(run=run, comparison=first, tiers=[[0], [1]])
    Consensus.objects.create(run=run, comparison=second, tiers=[[1], [0]], is_adjudicated=True)
    client = api(factory.dana())

    marked = client.get(f"{RUNS}/{run.pk}/rows?is_adjudicated=true").json()
    refused = client.get(f"{RUNS}/{run.pk}/rows?colour=red")

    assert [row["comparison"] for row in marked["results"]] == [second.pk]
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"method": "astrology"}, 400, "astrology"),
        ({"method": "majority", "parameters": {"colour": "red"}}, 422, "colour"),
        ({"method": "majority", "parameters": []}, 400, "JSON object"),
    ],
)
def test_an_impossible_consensus_is_refused(
    factory: Factory, api: Api, fields: dict[str, object], status: int, reason: str
) -> None:
    response = api(factory.alice()).post(RUNS, {"campaign": factory.judged_campaign().pk, **fields})

    assert response.status_code == status
    assert reason in response.content.decode()


def test_statistics_name_everybody_with_intervals_or_reasons(factory: Factory, api: Api) -> None:
    campaign = factory.judged_campaign(num_comparisons=4)

    rows = api(factory.dana()).get(f"/api/v1/campaigns/{campaign.pk}/annotator-statistics").json()["results"]

    bob = rows[-1]
    assert [row["kind"] for row in rows] == ["judge", "judge", "person"]
    assert rows[0]["agreement_with_others"]["value"] == 0.75
    assert rows[0]["agreement_with_others"]["interval"][0] < 0.75 < rows[0]["agreement_with_others"]["interval"][1]
    assert rows[0]["total_seconds"] == {
        "value": 4.0,
        "interval": None,
        "n": 4,
        "reason": "an interval needs 6 times or more",
    }
    assert rows[0]["drift"] is None
    assert (bob["num_judged"], bob["left"]["value"], bob["flags"]) == (0, None, [])
    assert bob["left"]["reason"]


def test_a_change_over_time_is_dated(factory: Factory, api: Api) -> None:
    """Bob agrees with two judges on the first thirty comparisons and with nobody on the thirty that follow."""
    judges = [factory.judge(), factory.judge()]
    campaign = factory.campaign(num_comparisons=60, overlap=3, annotators=[*judges, factory.bob()])
    for place, comparison in enumerate(campaign.comparisons.order_by("pk")):
        slots = list(comparison.slots.order_by("number"))
        for slot, judge in zip(slots, judges, strict=False):
            factory.judgment(slot, judge)
        factory.judgment(slots[2], tiers=[[0], [1]] if place < 30 else [[1], [0]])
    for place, judgment in enumerate(Judgment.objects.order_by("pk")):
        Judgment.objects.filter(pk=judgment.pk).update(created_at=judgment.created_at + timedelta(seconds=place))

    rows = api(factory.alice()).get(f"/api/v1/campaigns/{campaign.pk}/annotator-statistics").json()["results"]

    change = next(row for row in rows if row["name"] == "bob")["drift"]
    assert (change["before"]["value"], change["after"]["value"]) == (1.0, 0.0)
    assert change["changed_at"].endswith("Z")
    assert change["p_value"] < 0.01


def test_an_alert_is_listed_until_it_is_resolved(factory: Factory, api: Api) -> None:
    campaign, bob = factory.campaign(), factory.person()
    quality_pauses.raise_alert(campaign=campaign, annotator=bob, kind="speed", message="bob is quick.")
    client, address = api(factory.alice()), f"/api/v1/campaigns/{campaign.pk}/alerts"

    [alert] = client.get(f"{address}?is_resolved=false").json()["results"]
    resolved = client.post(f"{address}/{alert['id']}/resolve").json()

    assert (alert["annotator_name"], alert["message"]) == ("bob", "bob is quick.")
    assert resolved["resolved_at"]
    assert client.get(f"{address}?is_resolved=false").json()["count"] == 0
    assert client.get(f"{address}?kind=speed").json()["count"] == 1


def test_an_alert_of_another_campaign_is_not_found(factory: Factory, api: Api) -> None:
    campaign, other = factory.campaign(), factory.campaign()
    alert = quality_pauses.raise_alert(campaign=campaign, annotator=factory.person(), kind="speed", message="x")

    response = api(factory.alice()).post(f"/api/v1/campaigns/{other.pk}/alerts/{alert.pk}/resolve")

    alert.refresh_from_db()
    assert (response.status_code, alert.resolved_at) == (404, None)


def test_a_pause_is_disputed_upheld_and_lifted(factory: Factory, api: Api) -> None:
    campaign, bob = factory.campaign(), factory.person()
    manager, labeler = api(factory.alice()), api(factory.bob())
    address = f"/api/v1/campaigns/{campaign.pk}/annotators/{bob.pk}"

    manager.post(f"{address}/pause", {"reason": "Please read the guidelines"})
    disputed = labeler.post(f"/api/v1/labeling/campaigns/{campaign.pk}/dispute", {"text": "I have."})
    [shown] = manager.get(f"/api/v1/campaigns/{campaign.pk}/pauses?is_disputed=true").json()["results"]
    upheld = manager.post(f"{address}/uphold", {"answer": "Once more."}).json()
    resumed = manager.post(f"{address}/resume").json()

    assert disputed.status_code == 204
    assert (shown["annotator_name"], shown["dispute"]) == ("bob", "I have.")
    assert upheld["pause_reason"] == ("Please read the guidelines. The manager has read what you wrote: Once more.")
    assert (upheld["is_active"], upheld["disputed_at"]) == (False, None)
    assert (resumed["is_active"], resumed["pause_reason"]) == (True, "")
    assert Enrolment.objects.get(annotator=bob).is_active


def test_nobody_disputes_or_upholds_a_pause_that_is_not_there(factory: Factory, api: Api) -> None:
    campaign, bob = factory.campaign(), factory.person()

    answers = [
        api(factory.bob()).post(f"/api/v1/labeling/campaigns/{campaign.pk}/dispute", {"text": "Why?"}),
        api(factory.alice()).post(f"/api/v1/campaigns/{campaign.pk}/annotators/{bob.pk}/uphold", {}),
    ]

    assert [(answer.status_code, answer.json()["type"]) for answer in answers] == [
        (409, "urn:concord:dispute-refused")
    ] * 2
