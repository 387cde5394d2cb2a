"""Judgments out: what each format holds, and what it leaves out."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.utils import timezone

from annotation.judgment_export import rows
from annotation.judgment_export.formats import FORMULA_STARTS, guarded
from annotation.judgment_export.rows import ExportFilter, count_rows
from annotation.judgment_export.schema import COLUMNS, FORMATS, JSON_COLUMNS, SCHEMA
from annotation.judgment_export.service import NothingToExport, export_judgments
from annotation.models import Annotator, Campaign, Consensus, ConsensusRun, Judgment, Slot
from annotation.question import ranking
from core.models import Job
from tests.factory import Factory


def exported(campaign: Campaign | list[Campaign], file_format: str = "jsonl", **chosen: Any) -> bytes:
    campaigns = campaign if isinstance(campaign, list) else [campaign]
    return b"".join(export_judgments(campaigns=campaigns, file_format=file_format, **chosen).pieces)


def objects(campaign: Campaign | list[Campaign], **chosen: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exported(campaign, **chosen).splitlines()]


def cells(campaign: Campaign) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exported(campaign, "csv").decode(), newline="")))


def table(campaign: Campaign) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(exported(campaign, "parquet"))).to_pylist()
    return found


def test_a_row_says_who_was_shown_what_and_said_what(factory: Factory) -> None:
    campaign = factory.campaign("Sums")
    comparison = factory.comparison(campaign, completions=factory.completions(factory.prompt(), ["left", "right"]))
    judgment = factory.judgment(comparison.slots.get(), tiers=[[1], [0]], active_ms=1200, total_ms=3400)
    Judgment.objects.update(display_order=[1, 0], created_at=datetime(2026, 3, 1, 9, 30, 0, 5, tzinfo=UTC))

    [row] = objects(campaign)

    assert tuple(row) == COLUMNS
    annotator = Annotator.objects.get()
    assert row == {
        "judgment_id": judgment.pk,
        "campaign_id": campaign.pk,
        "campaign": "Sums",
        "comparison_id": comparison.pk,
        "prompt_id": comparison.prompt_id,
        "prompt_fingerprint": comparison.prompt.fingerprint,
        "prompt": comparison.prompt.messages,
        "completion_ids": [one.completion_id for one in comparison.candidates.order_by("position")],
        "completions": ["left", "right"],
        "models": [None, None],
        "display_order": [1, 0],
        "tiers": [[1], [0]],
        "answer": {"tiers": [[1], [0]]},
        "annotator": str(annotator.pseudonym),
        "annotator_kind": "person",
        "created_at": "2026-03-01T09:30:00.000005Z",
        "active_ms": 1200,
        "total_ms": 3400,
        "question_version": 1,
        "guideline_version": 1,
        "purpose": "main",
        "is_current": True,
        "revises": None,
        "is_adjudicated": False,
        "consensus_method": None,
        "consensus_tiers": None,
        "consensus_confidence": None,
    }


def test_all_formats_hold_the_same(factory: Factory) -> None:
    campaign = factory.judged_campaign(num_comparisons=3, judges=2)
    wanted = objects(campaign)
    assert len(wanted) == 6
    from_parquet = [
        {
            **row,
            "prompt": json.loads(row["prompt"]),
            "answer": json.loads(row["answer"]),
            "created_at": row["created_at"].isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }
        for row in table(campaign)
    ]
    assert from_parquet == wanted
    from_csv = cells(campaign)
    for row, expected in zip(from_csv, wanted, strict=True):
        assert {name: json.loads(row[name]) for name in JSON_COLUMNS if row[name]} == {
            name: expected[name] for name in JSON_COLUMNS if expected[name] is not None
        }
        assert (row["judgment_id"], row["is_current"], row["revises"]) == (str(expected["judgment_id"]), "true", "")
        assert row["created_at"] == expected["created_at"]


def test_hard_texts_survive_every_format(factory: Factory) -> None:
    texts = ['"quoted", comma\r\nand line\u2028break', "=1+1\t\\u0000 ünï 😀 \\", "'; DROP TABLE x; --"]
    campaign = factory.campaign('a, "b"\nc', question=ranking(3))
    comparison = factory.comparison(campaign, completions=factory.completions(factory.prompt(), texts))
    factory.judgment(comparison.slots.get(), tiers=[[2], [0, 1]])

    assert [row["completions"] for row in objects(campaign)] == [texts]
    assert [json.loads(row["completions"]) for row in cells(campaign)] == [texts]
    assert [row["completions"] for row in table(campaign)] == [texts]
    assert {objects(campaign)[0]["campaign"], cells(campaign)[0]["campaign"], table(campaign)[0]["campaign"]} == {
        campaign.name
    }


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_no_cell_of_a_csv_can_be_a_formula(factory: Factory, start: str) -> None:
    campaign = factory.campaign(f"{start}cmd|' /C calc'!A0", num_comparisons=1)
    comparison = campaign.comparisons.get()
    comparison.candidates.get(position=0).completion.__class__.objects.update(text=f"{start}HYPERLINK(1)")
    factory.judgment(comparison.slots.get())

    [row] = cells(campaign)

    assert row["campaign"] == f"'{campaign.name}"
    assert not any(value.startswith(FORMULA_STARTS) for value in row.values())


def test_only_what_could_be_a_formula_is_marked() -> None:
    assert [guarded(text) for text in ("=1", "a=1", "", "'x", " =1")] == ["'=1", "a=1", "", "'x", " =1"]


def test_an_answer_without_order_has_no_tiers(factory: Factory) -> None:
    campaign = factory.campaign(num_comparisons=1)
    factory.judgment(campaign.slots.get())
    Judgment.objects.update(answer={"cant_judge": True})

    assert [(row["tiers"], row["answer"]) for row in objects(campaign)] == [(None, {"cant_judge": True})]
    assert cells(campaign)[0]["tiers"] == ""
    assert table(campaign)[0]["tiers"] is None


def test_revisions_name_what_they_replace_and_current_ones_can_be_had_alone(factory: Factory) -> None:
    campaign = factory.campaign(num_comparisons=1)
    first = factory.judgment(campaign.slots.get(), is_current=False)
    newer = factory.judgment(campaign.slots.get(), tiers=[[1], [0]], revises=first)

    assert [(row["judgment_id"], row["revises"], row["is_current"]) for row in objects(campaign)] == [
        (first.pk, None, False),
        (newer.pk, first.pk, True),
    ]
    assert [row["judgment_id"] for row in objects(campaign, is_current_only=True)] == [newer.pk]


def test_purposes_and_times_choose(factory: Factory) -> None:
    campaign = factory.campaign(num_comparisons=2)
    old, gold = (factory.judgment(slot) for slot in campaign.slots.order_by("pk"))
    Judgment.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=9))
    Judgment.objects.filter(pk=gold.pk).update(purpose="gold")

    assert [row["judgment_id"] for row in objects(campaign, purpose="gold")] == [gold.pk]
    assert [row["judgment_id"] for row in objects(campaign, purpose="main")] == [old.pk]
    assert [row["judgment_id"] for row in objects(campaign, since=timezone.now() - timedelta(days=1))] == [gold.pk]
    assert objects(campaign, purpose="repeat") == []


def test_other_campaigns_stay_out(factory: Factory) -> None:
    mine, other = (factory.judged_campaign(num_comparisons=1) for _ in range(2))
    assert {row["campaign_id"] for row in objects(mine)} == {mine.pk}
    assert {row["campaign_id"] for row in objects([mine, other])} == {mine.pk, other.pk}


def test_adjudicated_comparisons_and_the_newest_consensus_are_marked(factory: Factory) -> None:
    campaign = factory.judged_campaign(num_comparisons=2, judges=1)
    first, second = campaign.comparisons.order_by("pk")
    for method, confidence in (("majority", 0.5), ("dawid_skene", 0.875)):
        run = ConsensusRun.objects.create(campaign=campaign, method=method, status=Job.Status.FINISHED)
        Consensus.objects.create(run=run, comparison=first, tiers=[[1], [0]], confidence=confidence)
    ConsensusRun.objects.create(campaign=campaign, method="davidson", status=Job.Status.RUNNING)
    Slot.objects.create(
        campaign=campaign,
        comparison=second,
        purpose="adjudication",
        annotator=factory.person(),
        judged_at=timezone.now(),
    )

    wanted = {
        first.pk: (False, "dawid_skene", [[1], [0]], 0.875),
        second.pk: (True, "dawid_skene", None, None),
    }
    names = ("is_adjudicated", "consensus_method", "consensus_tiers", "consensus_confidence")
    assert {row["comparison_id"]: tuple(row[name] for name in names) for row in objects(campaign)} == wanted
    assert {row["comparison_id"]: tuple(row[name] for name in names) for row in table(campaign)} == wanted


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_join_without_a_seam(factory: Factory, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    campaign = factory.judged_campaign(num_comparisons=3, judges=2)
    monkeypatch.setattr(rows, "PAGE", size)
    ids = [row["judgment_id"] for row in objects(campaign)]
    assert ids == list(Judgment.objects.order_by("pk").values_list("pk", flat=True))
    assert [row["judgment_id"] for row in table(campaign)] == ids
    assert count_rows(ExportFilter(campaigns=[campaign.pk])) == 6


def test_what_is_judged_after_the_start_is_not_in_it(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = factory.campaign(num_comparisons=3)
    slots = list(campaign.slots.order_by("pk"))
    early = [factory.judgment(slot) for slot in slots[:2]]
    monkeypatch.setattr(rows, "PAGE", 1)
    pieces = export_judgments(campaigns=[campaign], file_format="jsonl").pieces
    content = next(pieces)
    factory.judgment(slots[2])
    content += b"".join(pieces)
    assert [json.loads(line)["judgment_id"] for line in content.splitlines()] == [one.pk for one in early]


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_campaign_without_judgments_gives_a_valid_empty_file(factory: Factory, file_format: str) -> None:
    campaign = factory.campaign(num_comparisons=1)
    content = exported(campaign, file_format)
    if file_format == "parquet":
        assert pq.read_table(io.BytesIO(content)).schema.equals(SCHEMA)
    else:
        assert content.decode() == ("" if file_format == "jsonl" else ",".join(COLUMNS) + "\r\n")


def test_parquet_comes_in_row_groups(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    from annotation.judgment_export import formats

    campaign = factory.judged_campaign(num_comparisons=5, judges=1)
    monkeypatch.setattr(rows, "PAGE", 1)
    monkeypatch.setattr(formats, "GROUP_ROWS", 2)
    file = pq.ParquetFile(io.BytesIO(exported(campaign, "parquet")))
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [2, 2, 1]


def test_no_campaign_is_an_error_and_a_name_is_a_safe_file_name(factory: Factory) -> None:
    with pytest.raises(NothingToExport):
        export_judgments(campaigns=[], file_format="csv")
    campaign = factory.campaign('../"Ü b"\r\nX: y')
    assert export_judgments(campaigns=[campaign], file_format="csv").name == "u-b-x-y-judgments.csv"
    assert export_judgments(campaigns=[campaign, campaign], file_format="csv").name == "campaigns-judgments.csv"
