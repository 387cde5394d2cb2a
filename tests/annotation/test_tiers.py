from __future__ import annotations

import pytest

from annotation.tiers import AnswerRefused, check_display_order, ordered_pairs, pairs_of, parse_tiers


def test_inside_a_tier_the_order_means_nothing() -> None:
    assert parse_tiers([[2], [1, 0], [3]], num_completions=4) == [[2], [0, 1], [3]]


def test_tiers_expand_into_every_pair_once() -> None:
    pairs = ordered_pairs([[2], [0, 1], [3]])
    assert pairs.preferences == [(2, 0), (2, 1), (2, 3), (0, 3), (1, 3)]
    assert pairs.ties == [(0, 1)]


def test_all_tied_leaves_no_preference() -> None:
    pairs = ordered_pairs([[0, 1, 2]])
    assert (pairs.preferences, pairs.ties) == ([], [(0, 1), (0, 2), (1, 2)])


def test_outside_the_top_k_everything_loses_to_each_ranked_one_and_is_not_tied() -> None:
    pairs = ordered_pairs([[3], [0]], worse=[1, 2])
    assert pairs.preferences == [(3, 0), (3, 1), (3, 2), (0, 1), (0, 2)]
    assert pairs.ties == []


def test_a_stored_answer_says_whether_its_unranked_replies_are_worse() -> None:
    tray = {"tiers": [[3], [0]], "unranked": [1, 2]}
    assert pairs_of(tray).preferences == [(3, 0)]
    assert pairs_of({**tray, "unranked_is_worse": True}) == ordered_pairs([[3], [0]], worse=[1, 2])


@pytest.mark.parametrize("answer", [{"cant_judge": True}, {"demonstration": "Yes."}, {"tiers": [[0]]}])
def test_an_answer_without_an_order_says_nothing_about_pairs(answer: dict[str, object]) -> None:
    assert pairs_of(answer) == ordered_pairs([])


@pytest.mark.parametrize("order", [[0, 0], [1, 2], [1]])
def test_a_display_order_names_each_place_once(order: list[int]) -> None:
    with pytest.raises(AnswerRefused) as refused:
        check_display_order(order)
    assert refused.value.rule == "display_order"
