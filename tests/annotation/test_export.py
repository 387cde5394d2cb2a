from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation import adjudication, export
from annotation.consensus_verdicts import ConsensusMissing
from annotation.dataset_filter import DatasetFilter, FilterInvalid
from annotation.models import Annotator, Campaign, Comparison, Consensus, ConsensusRun, Judgment
from annotation.question import ranking
from generation.models import Completion, Prompt
from generation.splits import split_of
from tests.factory import Factory
from tests.factory.columns import job_columns

EVERYTHING = DatasetFilter()
FIRST, SECOND, TIE = [[0], [1]], [[1], [0]], [[0, 1]]


@pytest.fixture
def prompt(factory: Factory) -> Prompt:
    return factory.prompt()


@pytest.fixture
def completions(factory: Factory, prompt: Prompt) -> list[Completion]:
    return factory.completions(prompt, ["good", "poor"])


def judged(
    factory: Factory, completions: list[Completion], *answers: list[list[int]], judges: list[Annotator] | None = None
) -> Campaign:
    """A campaign of one comparison, answered by as many judges as there are answers."""
    campaign = factory.campaign(overlap=len(answers))
    comparison = factory.comparison(campaign, completions[0].prompt, completions=completions)
    for number, tiers in enumerate(answers):
        slot = comparison.slots.get(number=number)
        factory.judgment(slot, judges[number] if judges else factory.judge(), tiers=tiers)
    return campaign


def rows(*campaigns: Campaign, chosen: DatasetFilter = EVERYTHING) -> list[dict[str, Any]]:
    return export.preference_rows(campaigns, chosen)


def test_votes_of_all_campaigns_are_counted_together(factory: Factory, completions: list[Completion]) -> None:
    first = judged(factory, completions, FIRST, FIRST, TIE)
    swapped = judged(factory, completions[::-1], FIRST)  # there, position 0 is the other completion
    [row] = rows(first, swapped)
    assert (row["chosen"], row["rejected"]) == ("good", "poor")
    assert (row["chosen_id"], row["rejected_id"]) == (completions[0].pk, completions[1].pk)
    assert (row["votes_chosen"], row["votes_rejected"], row["votes_tied"]) == (2, 1, 1)
    assert row["p_chosen"] == (2 + 1 / 2) / 4
    assert len(row["judgment_ids"]) == len(row["annotators"]) == 4


def test_an_exact_tie_prefers_nothing(factory: Factory, completions: list[Completion]) -> None:
    assert rows(judged(factory, completions, TIE)) == []
    assert rows(judged(factory, completions, FIRST, SECOND)) == []


def test_cannot_judge_is_no_tie(factory: Factory, completions: list[Completion]) -> None:
    campaign = judged(factory, completions, FIRST, FIRST)
    shrug = campaign.comparisons.get().judgments.latest("pk")
    shrug.answer = {"cant_judge": True}
    shrug.save()
    [row] = rows(campaign)
    assert (row["votes_chosen"], row["votes_tied"], row["p_chosen"]) == (1, 0, 1.0)
    assert shrug.pk not in row["judgment_ids"]


def test_a_revised_judgment_counts_as_revised(factory: Factory, completions: list[Completion]) -> None:
    campaign = judged(factory, completions, SECOND)
    old = campaign.comparisons.get().judgments.get()
    old.is_current = False
    old.save()
    factory.judgment(old.slot, old.annotator, tiers=FIRST, revises=old)
    [row] = rows(campaign)
    assert (row["chosen"], row["votes_rejected"]) == ("good", 0)


def test_a_ranking_is_all_its_pairs(factory: Factory, prompt: Prompt) -> None:
    three = factory.completions(prompt, ["a", "b", "c"])
    campaign = factory.campaign(question=ranking(3))
    comparison = factory.comparison(campaign, prompt, completions=three)
    factory.judgment(comparison.slots.get(), tiers=[[2], [0, 1]])
    assert {(row["chosen"], row["rejected"]) for row in rows(campaign)} == {("c", "a"), ("c", "b")}


def test_two_completions_of_the_same_text_are_no_pair(factory: Factory, prompt: Prompt) -> None:
    assert rows(judged(factory, factory.completions(prompt, ["same", "same"]), FIRST)) == []


@pytest.mark.parametrize(
    ("chosen", "num_rows"),
    [
        (DatasetFilter(min_votes=3), 1),
        (DatasetFilter(min_votes=4), 0),
        (DatasetFilter(min_p_chosen=2 / 3), 1),
        (DatasetFilter(min_p_chosen=0.7), 0),
    ],
)
def test_pairs_with_too_few_or_too_close_votes_are_left_out(
    factory: Factory, completions: list[Completion], chosen: DatasetFilter, num_rows: int
) -> None:
    assert len(rows(judged(factory, completions, FIRST, FIRST, SECOND), chosen=chosen)) == num_rows


def test_an_excluded_annotator_has_no_vote(factory: Factory, completions: list[Completion]) -> None:
    good, bad = factory.judge(), factory.judge()
    campaign = judged(factory, completions, FIRST, SECOND, judges=[good, bad])
    [row] = rows(campaign, chosen=DatasetFilter(excluded_annotators=[bad.pk]))
    assert row["chosen"] == "good"
    assert row["annotators"] == [str(good.pseudonym)]


def test_annotators_stand_under_pseudonyms(factory: Factory, completions: list[Completion]) -> None:
    [row] = rows(judged(factory, completions, FIRST, judges=[factory.person()]))
    assert "bob" not in json.dumps(row)


def test_the_prompt_decides_the_split(factory: Factory) -> None:
    prompt_set = factory.prompt_set(num_prompts=30, held_out_fraction=0.5)
    campaign = factory.campaign()
    for prompt in prompt_set.prompts.all():
        factory.judgment(factory.comparison(campaign, prompt).slots.get())
    splits = {row["group_id"]: row["split"] for row in rows(campaign)}
    assert splits == {p.fingerprint: split_of(p.fingerprint, 0.5) for p in prompt_set.prompts.all()}
    assert set(splits.values()) == {"train", "held_out"}


def test_the_best_completion_of_each_prompt_is_its_demonstration(factory: Factory, prompt: Prompt) -> None:
    three = factory.completions(prompt, ["a", "b", "c"])
    campaign = factory.campaign(question=ranking(3))
    factory.judgment(factory.comparison(campaign, prompt, completions=three).slots.get(), tiers=[[1], [2], [0]])
    [row] = export.best_completion_rows([campaign], EVERYTHING)
    assert (row["completion"], row["completion_id"]) == ("b", three[1].pk)


def test_reference_answers_are_demonstrations(factory: Factory) -> None:
    prompt_set = factory.prompt_set(num_prompts=3)
    silent = prompt_set.prompts.earliest("pk")
    silent.reference = ""
    silent.save()
    made = export.demonstration_rows(prompt_set)
    assert {row["group_id"] for row in made} == {p.fingerprint for p in prompt_set.prompts.exclude(pk=silent.pk)}
    assert all(row["completion_id"] is None and row["completion"] for row in made)


def test_rows_come_in_the_same_order_whatever_the_order_of_the_judgments(factory: Factory) -> None:
    judged_campaign = factory.judged_campaign(num_comparisons=6)
    made = rows(judged_campaign)
    assert made == sorted(made, key=lambda row: (row["group_id"], row["chosen_id"], row["rejected_id"]))
    assert len(made) == Comparison.objects.count() - 1  # the judges disagree about the last one


# Files


@pytest.mark.parametrize("schema", [export.PREFERENCE_SCHEMA, export.DEMONSTRATION_SCHEMA])
def test_both_files_read_back_to_the_rows(factory: Factory, tmp_path: Path, schema: Any) -> None:
    made = rows(factory.judged_campaign())
    if schema is export.DEMONSTRATION_SCHEMA:
        made = export.demonstration_rows(factory.prompt_set(num_prompts=3))
    hashes = export.write_files(tmp_path / "7", made, schema)
    table = pq.read_table(tmp_path / "7" / "data.parquet")
    assert table.schema.equals(schema)
    assert table.to_pylist() == made
    assert [json.loads(line) for line in (tmp_path / "7" / "data.jsonl").open()] == made
    assert hashes == tuple(export.file_sha256(tmp_path / "7" / f"data.{ending}") for ending in ("parquet", "jsonl"))


def test_the_same_rows_are_the_same_bytes(factory: Factory, tmp_path: Path) -> None:
    campaign = factory.judged_campaign()
    first = export.write_files(tmp_path / "1", rows(campaign), export.PREFERENCE_SCHEMA)
    second = export.write_files(tmp_path / "2", rows(campaign), export.PREFERENCE_SCHEMA)
    assert first == second


def test_a_failing_write_leaves_nothing(factory: Factory, tmp_path: Path) -> None:
    made = [*rows(factory.judged_campaign()), {"group_id": 7}]
    with pytest.raises(pa.ArrowTypeError):
        export.write_files(tmp_path / "7", made, export.PREFERENCE_SCHEMA)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_worker_left_is_written_over(factory: Factory, tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "data.parquet").write_text("half")
    (tmp_path / f".7.{os.getpid()}").mkdir()
    export.write_files(tmp_path / "7", rows(factory.judged_campaign()), export.PREFERENCE_SCHEMA)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["7", "data.jsonl", "data.parquet"]


def test_an_adjudicators_answer_stands_instead_of_the_votes_and_is_marked(
    factory: Factory, completions: list[Completion]
) -> None:
    campaign = judged(factory, completions, FIRST, FIRST, SECOND)
    decide(factory, campaign, SECOND)

    [row] = rows(campaign)

    assert (row["chosen"], row["votes_chosen"], row["votes_rejected"]) == ("poor", 1, 0)
    assert (row["is_adjudicated"], row["confidence"]) == (True, None)
    assert rows(judged(factory, completions, FIRST))[0]["is_adjudicated"] is False


def test_gold_and_repeats_are_no_votes(factory: Factory, completions: list[Completion]) -> None:
    campaign = judged(factory, completions, FIRST, SECOND, SECOND)
    Judgment.objects.filter(answer={"tiers": SECOND}).update(purpose="repeat")

    assert [row["chosen"] for row in rows(campaign)] == ["good"]


@pytest.mark.parametrize("is_by_method", [True, False])
def test_a_consensus_decides_in_place_of_the_votes(
    factory: Factory, completions: list[Completion], is_by_method: bool
) -> None:
    campaign = judged(factory, completions, FIRST, FIRST, SECOND)
    run = ConsensusRun.objects.create(campaign=campaign, method="majority", **job_columns("finished"))
    pair = {"first": 0, "second": 1, "first_better": 0.2, "tie": 0.1, "second_better": 0.7}
    Consensus.objects.create(
        run=run, comparison=campaign.comparisons.get(), tiers=SECOND, confidence=0.7, posterior={"pairs": [pair]}
    )

    [row] = rows(campaign, chosen=DatasetFilter(consensus="majority" if is_by_method else run.pk))

    assert (row["chosen"], row["votes_chosen"], row["confidence"]) == ("poor", 1, 0.7)
    assert row["p_chosen"] == pytest.approx(0.7 + 0.1 / 2)


def test_a_consensus_that_was_not_computed_is_refused_by_name(factory: Factory, completions: list[Completion]) -> None:
    campaign = judged(factory, completions, FIRST)

    with pytest.raises(ConsensusMissing, match="has no finished consensus by majority"):
        rows(campaign, chosen=DatasetFilter(consensus="majority"))
    with pytest.raises(FilterInvalid, match="consensus must be a run's id or one of majority"):
        DatasetFilter.from_json({"consensus": "astrology"})


def decide(factory: Factory, campaign: Campaign, tiers: list[list[int]]) -> None:
    alice = factory.person(factory.alice())
    slot = adjudication.take(comparison=campaign.comparisons.get(), annotator=alice)
    adjudication.decide(
        slot=slot, annotator=alice, token=str(slot.token), answer={"tiers": tiers}, idempotency_key="once"
    )
