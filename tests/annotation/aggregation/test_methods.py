"""What all methods have in common."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from annotation.aggregation import METHODS, AggregationRefused, Judgments, aggregate, defaults
from annotation.aggregation.consensus import LEVEL, NO_VOTES
from tests.annotation.aggregation.judging import FIRST, SECOND, TIE, judgments_of, simulated_pairs, votes_on_pair

UTILITY_METHODS = ["bradley_terry", "davidson", "annotator_skill", "plackett_luce"]


@pytest.mark.parametrize("method", METHODS)
def test_a_clear_preference_is_found(method: str) -> None:
    one = aggregate(method, votes_on_pair(*[SECOND] * 5)).consensus["c"]
    assert one.tiers == SECOND
    assert one.confidence is not None
    assert one.confidence > 0.8
    assert one.judgments == [0, 1, 2, 3, 4]
    assert one.posterior["pairs"][0]["second_better"] == pytest.approx(one.confidence)


@pytest.mark.parametrize("method", METHODS)
def test_a_ranking_that_all_give_is_the_consensus(method: str) -> None:
    tiers = [[3], [1], [0], [2]]
    judgments = judgments_of([("c", str(number), tiers) for number in range(6)], {"c": ["w", "x", "y", "z"]})
    assert aggregate(method, judgments).consensus["c"].tiers == tiers


@pytest.mark.parametrize("method", METHODS)
def test_results_are_json_and_keep_method_and_parameters(method: str) -> None:
    judgments, _ = simulated_pairs(skills=np.ones(3), left_biases=np.zeros(3), num_prompts=3, num_each=20, seed=0)
    aggregation = aggregate(method, judgments)
    json.dumps([aggregation.findings, aggregation.parameters], allow_nan=False)
    json.dumps([one.posterior for one in aggregation.consensus.values()], allow_nan=False)
    assert (aggregation.method, aggregation.parameters) == (method, defaults(method))
    assert set(aggregation.consensus) == set(judgments.completions)
    assert all(
        (one.tiers is None or one.confidence is None) == (one.reason is not None)
        for one in aggregation.consensus.values()
    )


@pytest.mark.parametrize("method", METHODS)
def test_without_judgments_there_is_a_reason(method: str) -> None:
    nothing: dict[str, Any] = {"comparisons": [], "annotators": [], "tiers": [], "display_orders": []}
    assert aggregate(method, Judgments(**nothing, completions={}, prompts={})).consensus == {}
    one = aggregate(method, Judgments(**nothing, completions={"c": [1, 2]}, prompts={"c": 1})).consensus["c"]
    assert (one.tiers, one.confidence, one.judgments, one.reason) == (None, None, [], NO_VOTES)


@pytest.mark.parametrize("method", METHODS)
def test_swapping_the_order_of_completions_swaps_the_answer(method: str) -> None:
    votes = [FIRST, FIRST, SECOND, FIRST, TIE]
    mirrored = {str(FIRST): SECOND, str(SECOND): FIRST, str(TIE): TIE}
    one = aggregate(method, votes_on_pair(*votes)).consensus["c"]
    judgments = votes_on_pair(*(mirrored[str(tiers)] for tiers in votes))
    judgments = Judgments(**{**vars(judgments), "display_orders": [[1, 0]] * 5})
    other = aggregate(method, judgments).consensus["c"]
    assert (one.tiers, other.tiers) == (FIRST, SECOND)
    assert one.confidence == pytest.approx(other.confidence)


@pytest.mark.parametrize("method", UTILITY_METHODS)
def test_comparisons_of_a_prompt_that_no_chain_connects_have_no_order(method: str) -> None:
    completions = {"ab": ["a", "b"], "cd": ["c", "d"], "bc": ["b", "c"]}
    rows = [("ab", "ann", FIRST), ("cd", "ann", FIRST)]
    prompts = dict.fromkeys(completions, "p")
    consensus = aggregate(method, judgments_of(rows, completions, prompts=prompts)).consensus
    assert consensus["ab"].tiers == FIRST
    assert (consensus["bc"].tiers, consensus["bc"].reason) == (None, NO_VOTES)
    rows.append(("bc", "ann", FIRST))
    connected = judgments_of(rows, {**completions, "ad": ["d", "a"]}, prompts={**prompts, "ad": "p"})
    assert aggregate(method, connected).consensus["ad"].tiers == SECOND


@pytest.mark.parametrize("method", ["bradley_terry", "plackett_luce"])
def test_balanced_votes_are_level_without_a_probability(method: str) -> None:
    for votes in ([TIE, TIE], [FIRST, SECOND]):
        one = aggregate(method, votes_on_pair(*votes)).consensus["c"]
        assert (one.tiers, one.confidence, one.reason) == (TIE, None, LEVEL)


def test_davidsons_ties_have_a_probability() -> None:
    aggregation = aggregate("davidson", votes_on_pair(*[TIE] * 20, FIRST))
    one = aggregation.consensus["c"]
    assert one.tiers == TIE
    (pair,) = one.posterior["pairs"]
    margin = 2 * np.log(aggregation.findings["tie_parameter"])
    gap = one.posterior["utilities"][0] - one.posterior["utilities"][1]
    assert pair["first_better"] + pair["tie"] + pair["second_better"] == pytest.approx(1)
    sd = (margin - gap) / norm.isf(pair["first_better"])
    assert pair["second_better"] == pytest.approx(norm.cdf((-gap - margin) / sd))
    assert one.confidence == pytest.approx(pair["tie"])


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("mode", {}),
        ("majority", {"evens": "tie"}),
        ("majority", {"even": "heads"}),
        ("bradley_terry", {"prior_sd": 0}),
        ("bradley_terry", {"prior_sd": "2"}),
        ("dawid_skene", {"max_rounds": 1.5}),
        ("dawid_skene", {"smoothing": float("nan")}),
    ],
)
def test_unknown_methods_and_senseless_parameters_are_refused(method: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(AggregationRefused):
        aggregate(method, votes_on_pair(FIRST), parameters)


def test_columns_must_fit_together() -> None:
    columns: dict[str, Any] = {"comparisons": ["c"], "annotators": ["a"], "tiers": [FIRST], "display_orders": [[0, 1]]}
    with pytest.raises(ValueError, match="equally long"):
        Judgments(**{**columns, "annotators": []}, completions={"c": [1, 2]}, prompts={"c": 1})
    with pytest.raises(ValueError, match="whose completions"):
        Judgments(**columns, completions={}, prompts={})
    with pytest.raises(ValueError, match="whose prompt"):
        Judgments(**columns, completions={"c": [1, 2]}, prompts={})
