from __future__ import annotations

import random

import pytest

from generation.near_duplicate_index import NearDuplicateIndex
from generation.near_duplicates import mark_near_duplicates

WORDS = tuple("abcdefghijklmnopqrs")


def marks(texts: list[str], threshold: float = 0.9) -> list[bool]:
    index = NearDuplicateIndex(threshold)
    return [index.add(text) for text in texts]


def test_blanks_and_the_first_letter_are_forgiven_in_short_texts() -> None:
    assert marks(["What is  1 plus 1?", "what is 1 plus 1?", "What is 1 plus 2?"]) == [False, True, False]


def test_a_long_text_repeats_one_of_nearly_the_same_words_but_not_one_of_other_numbers() -> None:
    story = " ".join(f"word{chr(97 + place % 26)}{chr(97 + place // 26)}" for place in range(60))
    assert marks([story, story + " end", story + " 7"]) == [False, True, False]


@pytest.mark.parametrize("threshold", [0, 1.1])
def test_a_threshold_outside_0_to_1_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        NearDuplicateIndex(threshold)


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
def test_it_finds_exactly_what_comparing_all_with_all_finds(threshold: float) -> None:
    chance = random.Random(3)
    texts = []
    for _ in range(60):
        words = [chance.choice(WORDS) for _ in range(chance.randint(5, 40))]
        texts.append(" ".join(words))
        for _ in range(3):  # the same with a few words changed
            changed = [chance.choice(WORDS) if chance.random() < 0.04 else word for word in words]
            texts.append(" ".join(changed))
    compared = [mark is not None for mark in mark_near_duplicates(texts, threshold=threshold)]
    assert marks(texts, threshold) == compared
    assert 0 < sum(compared) < len(compared)
