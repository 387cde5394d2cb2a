"""Words that differ between near-identical replies."""

import random

import pytest

from frontend.word_diff import MOST_DIFFERENCES, WordDiff, word_diff


def only(diff: WordDiff) -> tuple[list[str], list[str]]:
    """The pieces that one text has alone."""
    first, second = ([piece.text for piece in side if not piece.is_shared] for side in (diff.first, diff.second))
    return first, second


def diff_of(first: str, second: str) -> WordDiff:
    diff = word_diff(first, second)
    assert diff is not None
    return diff


def test_a_replaced_word_is_marked_on_both_sides() -> None:
    diff = diff_of("The cat sat on the mat.", "The dog sat on the mat.")

    assert only(diff) == (["cat"], ["dog"])
    assert diff.share == 12 / 14  # the words but "cat" and "dog", and the full stops


def test_added_words_are_marked_where_they_stand() -> None:
    assert only(diff_of("one two three four", "one two and a half three four")) == ([], ["and a half "])


def test_words_in_a_row_are_one_piece() -> None:
    assert only(diff_of("a b c d e f g h i j", "a b x y z f g h i j")) == (["c d e"], ["x y z"])


def test_punctuation_counts_as_words() -> None:
    assert only(diff_of("Yes, of course it is so.", "Yes; of course it is so!")) == ([",", "."], [";", "!"])


@pytest.mark.parametrize(
    ("first", "second"), [("", ""), ("same", "same"), ("all of this", "nothing alike here"), ("", "text")]
)
def test_equal_and_unlike_texts_have_no_diff(first: str, second: str) -> None:
    assert word_diff(first, second) is None


def test_texts_with_too_many_differences_are_given_up() -> None:
    many = " ".join(f"word{number} is" for number in range(2 * MOST_DIFFERENCES))

    assert word_diff(many, many.replace("word", "term")) is None
    assert word_diff("a " * 8000, "b " * 8000) is None


@pytest.mark.parametrize("seed", range(30))
def test_the_pieces_of_a_side_are_its_text_and_shared_ones_are_equal(seed: int) -> None:
    random_words = random.Random(seed)
    words = [random_words.choice("abcde") for _ in range(60)]
    first = " ".join(words)
    for _ in range(6):
        words[random_words.randrange(60)] = random_words.choice(["x", "y z", ""])
    second = " ".join(words)

    diff = diff_of(first, second)

    assert "".join(piece.text for piece in diff.first) == first
    assert "".join(piece.text for piece in diff.second) == second
    kept = ["".join(piece.text for piece in side if piece.is_shared).split() for side in (diff.first, diff.second)]
    assert kept[0] == kept[1]
