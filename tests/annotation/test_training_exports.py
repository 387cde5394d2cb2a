from __future__ import annotations

from typing import Any

import pytest

from annotation import runner, training_exports
from annotation.dataset_filter import DatasetFilter
from annotation.models import Annotator, Campaign, Consensus, Dataset
from annotation.question import ranking
from annotation.services import DatasetRefused, start_freeze
from core import jobs
from tests.factory import Factory
from tests.factory.columns import job_columns

EVERYTHING = DatasetFilter()


def ranked(factory: Factory, *answers: dict[str, Any], judges: list[Annotator] | None = None) -> Campaign:
    """A campaign of one comparison of three completions, with one ranking a judge."""
    completions = factory.completions(factory.prompt(), ["good", "fair", "poor"])
    campaign = factory.campaign(overlap=len(answers), question=ranking(3))
    comparison = factory.comparison(campaign, completions[0].prompt, completions=completions)
    for number, answer in enumerate(answers):
        judge = judges[number] if judges else factory.judge()
        judgment = factory.judgment(comparison.slots.get(number=number), judge, tiers=answer["tiers"])
        judgment.answer = answer
        judgment.save()
    return campaign


def rows(campaign: Campaign, chosen: DatasetFilter = EVERYTHING) -> list[dict[str, Any]]:
    return training_exports.ranking_rows([campaign], chosen)


def test_annotators_who_agree_share_a_row_and_a_comparison_weighs_one(factory: Factory) -> None:
    agreed = {"tiers": [[0], [1, 2]]}
    made = rows(ranked(factory, agreed, agreed, {"tiers": [[2], [1], [0]]}))
    assert [(row["tiers"], row["weight"], len(row["judgment_ids"])) for row in made] == [
        ([[0], [1, 2]], pytest.approx(2 / 3), 2),
        ([[2], [1], [0]], pytest.approx(1 / 3), 1),
    ]
    assert made[0]["completions"] == ["good", "fair", "poor"]
    assert len(made[0]["annotators"]) == 2


def test_what_stands_outside_a_top_k_comes_last_and_what_nothing_is_said_of_is_left_out(factory: Factory) -> None:
    top = {"tiers": [[1]], "unranked": [0, 2], "unranked_is_worse": True}
    assert [row["tiers"] for row in rows(ranked(factory, top))] == [[[1], [0, 2]]]
    (tray,) = rows(ranked(factory, {"tiers": [[2], [1]], "unranked": [0]}))
    assert (tray["completions"], tray["tiers"]) == (["fair", "poor"], [[1], [0]])
    assert rows(ranked(factory, {"tiers": [[2]], "unranked": [0, 1]})) == []


def test_excluded_annotators_and_too_few_votes_do_not_count(factory: Factory) -> None:
    judges = [factory.judge(), factory.judge()]
    campaign = ranked(factory, {"tiers": [[0], [1], [2]]}, {"tiers": [[2], [1], [0]]}, judges=judges)
    (kept,) = rows(campaign, DatasetFilter(excluded_annotators=[judges[0].pk]))
    assert (kept["tiers"], kept["weight"]) == ([[2], [1], [0]], 1.0)
    assert rows(campaign, DatasetFilter(excluded_annotators=[judges[0].pk], min_votes=2)) == []


def test_a_consensus_gives_one_row_with_its_confidence(factory: Factory) -> None:
    campaign = ranked(factory, {"tiers": [[0], [1], [2]]}, {"tiers": [[2], [1], [0]]})
    run = campaign.consensus_runs.create(method="plackett_luce", **job_columns("finished"))
    comparison = campaign.comparisons.get()
    ids = list(comparison.judgments.values_list("pk", flat=True))
    Consensus.objects.create(run=run, comparison=comparison, tiers=[[1], [0, 2]], confidence=0.7, judgment_ids=ids)
    (row,) = rows(campaign, DatasetFilter(consensus="plackett_luce"))
    assert (row["tiers"], row["confidence"], row["weight"]) == ([[1], [0, 2]], 0.7, 1.0)
    assert row["judgment_ids"] == ids


def test_a_completion_is_wanted_if_it_wins_its_pairs(factory: Factory) -> None:
    campaign = ranked(factory, {"tiers": [[0], [1], [2]]})
    made = training_exports.label_rows([campaign], EVERYTHING)
    assert [(row["completion"], row["label"], row["p_desirable"]) for row in made] == [
        ("good", True, 1.0),
        ("poor", False, 0.0),  # the fair one wins one and loses one
    ]
    assert made[0]["judgment_ids"] == list(campaign.comparisons.get().judgments.values_list("pk", flat=True))


@pytest.mark.parametrize(("kind", "num_rows"), [("rankings", 1), ("labels", 2)])
def test_a_dataset_of_each_kind_is_frozen(factory: Factory, kind: str, num_rows: int) -> None:
    campaign = ranked(factory, {"tiers": [[0], [1], [2]]})
    dataset = start_freeze(workspace=factory.workspace(), name="frozen", kind=kind, campaigns=[campaign])
    jobs.perform(Dataset, dataset.pk, runner.freeze)
    dataset.refresh_from_db()
    assert (dataset.status, dataset.num_rows, dataset.counts["judgments"]) == ("finished", num_rows, 1)


def test_a_threshold_for_pairs_is_refused_for_rankings(factory: Factory) -> None:
    campaign = ranked(factory, {"tiers": [[0], [1], [2]]})
    with pytest.raises(DatasetRefused, match="min_p_chosen is about pairs"):
        start_freeze(
            workspace=factory.workspace(),
            name="frozen",
            kind=Dataset.Kind.RANKINGS,
            campaigns=[campaign],
            filter={"min_p_chosen": 0.7},
        )
    with pytest.raises(DatasetRefused, match="labels come from campaigns"):
        start_freeze(workspace=factory.workspace(), name="x", kind=Dataset.Kind.LABELS, prompt_set=factory.prompt_set())
