from __future__ import annotations

from collections.abc import Sequence

import pytest

from annotation.aggregation import Judgments, aggregate
from annotation.aggregation.consensus import EVEN, NO_VOTES, ONE_COMPLETION, Consensus
from tests.annotation.aggregation.judging import FIRST, SECOND, TIE, judgments_of, votes_on_pair

REPLIES = ["x", "y", "z"]


def decided(judgments: Judgments, **parameters: object) -> Consensus:
    return aggregate("majority", judgments, parameters).consensus["c"]


def ranked(*tiers: Sequence[Sequence[int]]) -> Judgments:
    return judgments_of([("c", str(number), answer) for number, answer in enumerate(tiers)], {"c": REPLIES})


def test_most_votes_win_with_their_share_as_confidence() -> None:
    one = decided(votes_on_pair(FIRST, SECOND, FIRST, TIE))
    assert (one.tiers, one.confidence, one.reason) == (FIRST, 0.5, None)
    assert one.judgments == [0, 1, 2, 3]
    (pair,) = one.posterior["pairs"]
    assert pair == {"first": 0, "second": 1, "first_better": 0.5, "tie": 0.25, "second_better": 0.25}


def test_a_tie_can_have_most_votes_or_be_half_a_vote_for_each() -> None:
    votes = votes_on_pair(TIE, TIE, TIE, FIRST, FIRST)
    assert decided(votes).tiers == TIE
    half = decided(votes, tie_votes="half")
    assert half.tiers == FIRST
    assert half.confidence == pytest.approx(0.7)


@pytest.mark.parametrize("answers", [[FIRST, SECOND], [FIRST, TIE], [FIRST, SECOND, TIE]])
def test_even_votes_are_a_tie_or_undecided_as_the_policy_says(answers: list[list[list[int]]]) -> None:
    votes = votes_on_pair(*answers)
    assert decided(votes, even="tie").tiers == TIE
    undecided = decided(votes, even="undecided")
    assert (undecided.tiers, undecided.confidence, undecided.reason) == (None, None, EVEN)


def test_even_votes_are_drawn_by_the_seed_if_the_policy_says_so() -> None:
    votes = votes_on_pair(FIRST, SECOND)
    drawn = [decided(votes, even="random", seed=seed).tiers for seed in range(20)]
    assert drawn == [decided(votes, even="random", seed=seed).tiers for seed in range(20)]
    assert {str(tiers) for tiers in drawn} == {str(FIRST), str(SECOND)}


def test_no_opinions_do_not_contribute() -> None:
    one = decided(votes_on_pair(None, FIRST, None))
    assert (one.tiers, one.confidence, one.judgments) == (FIRST, 1.0, [1])


def test_nothing_to_order_and_no_judgment_have_their_reasons() -> None:
    judgments = judgments_of([("c", "a", None)], {"c": ["x", "y"], "lone": ["x"]})
    consensus = aggregate("majority", judgments).consensus
    assert (consensus["c"].tiers, consensus["c"].reason) == (None, NO_VOTES)
    assert (consensus["lone"].tiers, consensus["lone"].reason) == (None, ONE_COMPLETION)


def test_rankings_are_ordered_by_wins() -> None:
    one = decided(ranked([[2], [0], [1]], [[2], [1], [0]], [[2], [0], [1]]))
    assert one.tiers == [[2], [0], [1]]
    assert one.confidence == pytest.approx(2 / 3)


def test_a_circle_is_level_or_undecided() -> None:
    circle = ranked([[0], [1], [2]], [[1], [2], [0]], [[2], [0], [1]])
    one = decided(circle)
    assert (one.tiers, one.confidence) == ([[0, 1, 2]], 0.0)
    assert decided(circle, even="undecided").reason == EVEN


def test_neighbours_that_nobody_compared_leave_no_order() -> None:
    one = decided(ranked([[0], [1]], [[0], [1]]))
    assert one.tiers is None
    assert one.reason is not None
    assert one.reason.startswith("no judgment compares the neighbours")
