from __future__ import annotations

import pytest

from generation.near_duplicates import mark_near_duplicates, similarity

LONG = "The quick brown fox jumps over the lazy dog while the tired old farmer sleeps under a tree near the river bank."


def test_different_short_answers_are_all_kept() -> None:
    assert mark_near_duplicates(["14", "15", "cat", "CAT", "cat cat"]) == [None] * 5


def test_blanks_and_the_case_of_the_first_letter_are_forgiven() -> None:
    assert mark_near_duplicates(["Yes, it is", " yes,  it\nis "]) == [None, 0]


def test_every_repeat_points_to_the_earliest_one() -> None:
    assert mark_near_duplicates(["a", "b", "a", "a", "b"]) == [None, None, 0, 0, 1]


def test_empty_replies_repeat_each_other() -> None:
    assert mark_near_duplicates(["", "  "]) == [None, 0]


def test_long_texts_repeat_each_other_whatever_their_case_and_punctuation() -> None:
    assert mark_near_duplicates([LONG, LONG.upper().replace(".", "!")]) == [None, 0]


def test_a_long_text_with_one_word_more_at_its_end_repeats_the_first() -> None:
    assert mark_near_duplicates([LONG, f"{LONG} Indeed"]) == [None, 0]


def test_a_long_text_with_another_middle_is_kept() -> None:
    assert mark_near_duplicates([LONG, LONG.replace("lazy dog while", "sleeping black cat as")]) == [None, None]


def test_a_long_text_that_differs_in_a_number_is_kept() -> None:
    padding = LONG * 5
    assert similarity(f"{padding} It costs 42", f"{padding} It costs 43") > 0.9
    assert mark_near_duplicates([f"{padding} It costs 42", f"{padding} It costs 43"]) == [None, None]


@pytest.mark.parametrize("negated", ["It is not safe", "It isn't safe", "It isn’t safe", "It is never safe"])
def test_a_long_text_that_differs_in_a_negation_is_kept(negated: str) -> None:
    assert mark_near_duplicates([f"{LONG * 5} It is safe", f"{LONG * 5} {negated}"]) == [None, None]


def test_texts_without_blanks_between_words_are_compared_by_character() -> None:
    text = "今日はとても良い天気なので公園まで散歩に行きましょうと彼は言いました"
    assert mark_near_duplicates([text, text + "ね", "まったく違う返事です"]) == [None, 0, None]


def test_similarity_counts_repeats() -> None:
    # triples: (a b c) once against twice, and (b c a), (c a b) only in the second: 1 of 4
    assert similarity("a b c", "a b c a b c") == 0.25


@pytest.mark.parametrize("threshold", [0.0, 1.5])
def test_a_threshold_that_marks_all_or_nothing_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        mark_near_duplicates(["a"], threshold=threshold)
