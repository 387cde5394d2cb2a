from __future__ import annotations

from itertools import combinations
from math import log

import pytest

from generation.candidate_quality.score_spread import (
    Spread,
    closest_first,
    disagreement,
    most_disputed_first,
    spread_of,
    widest_first,
)

SCORES = {"a": 0.0, "b": 1.0, "c": 1.5, "d": 4.0}


def test_the_spread_is_from_the_best_to_the_worst() -> None:
    assert spread_of([0.5, 2.0, -1.0, 2.0]) == Spread(best=1, worst=2, gap=3.0)
    assert spread_of([1.0, 1.0]) is None
    assert spread_of([1.0]) is None


def test_the_widest_pair_is_the_best_with_the_worst_and_the_closest_the_other_way_round() -> None:
    pairs = list(combinations("abcd", 2))
    ordered = [("a", "d"), ("b", "d"), ("c", "d"), ("a", "c"), ("a", "b"), ("b", "c")]
    assert widest_first(pairs, SCORES) == ordered
    assert closest_first(pairs, SCORES) == ordered[::-1]


def test_of_groups_that_reach_equally_far_the_evenest_comes_first() -> None:
    reaching = widest_first(combinations("abcd", 3), SCORES)
    assert reaching[:2] == [("a", "c", "d"), ("a", "b", "d")]


def test_what_has_no_score_is_not_chosen_and_equals_keep_their_order() -> None:
    assert widest_first([("a", "x"), ("a", "b")], SCORES) == [("a", "b")]
    equal = dict.fromkeys("abc", 1.0)
    assert widest_first([("b", "c"), ("a", "b")], equal) == [("b", "c"), ("a", "b")]


MEMBERS = {"a": [0.0, 0.0], "b": [log(3), -log(3)], "c": [50.0, 90.0], "d": [1.0, 1.0]}


def test_the_most_disputed_pair_is_the_one_whose_order_the_members_disagree_about() -> None:
    assert disagreement("ab", MEMBERS) == pytest.approx(1 / 16)  # probabilities 1/4 and 3/4
    assert disagreement("ac", MEMBERS) == pytest.approx(0)  # both are sure, one by a larger lead
    assert disagreement("ad", MEMBERS) == 0
    assert most_disputed_first(["ac", "ad", "ab"], MEMBERS)[0] == "ab"
    assert disagreement("abc", MEMBERS) == pytest.approx(1 / 48)  # the mean over three pairs


def test_what_a_member_adds_to_all_scores_of_a_prompt_is_no_dispute() -> None:
    shifted = {one: [first, second + 1_000] for one, (first, second) in MEMBERS.items()}
    for pair in ("ab", "bd"):
        assert disagreement(pair, shifted) == pytest.approx(disagreement(pair, MEMBERS))


def test_candidates_without_members_are_disputed_by_nobody() -> None:
    assert most_disputed_first(["ax", "ab"], MEMBERS) == ["ab"]
