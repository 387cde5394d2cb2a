"""The kinds of starter instruction: how each one draws its content, phrases it and finds its answer.

To add a kind: write a `_draw_…` function that returns the fields of the phrasings and the answer, and list it
in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from generation.starter.words import SHORT_WORDS, WORDS

Drawn = tuple[dict[str, str], str]  # the fields of a phrasing, and the answer


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of instruction: `draw` fills the fields that every one of its `phrasings` names."""

    name: str
    draw: Callable[[Random], Drawn]
    phrasings: tuple[str, ...]

    def write(self, rng: Random) -> tuple[str, str]:
        """One instruction and its answer."""
        fields, answer = self.draw(rng)
        return rng.choice(self.phrasings).format(**fields), answer


def _quoted(words: str) -> str:
    """In quotes, so that a byte-level tokenizer cuts the words as it cuts them at the start of a reply."""
    return f'"{words}"'


def _draw_copy(rng: Random) -> Drawn:
    words = " ".join(rng.sample(WORDS, rng.randint(1, 3)))
    return {"words": _quoted(words)}, words


def _draw_upper(rng: Random) -> Drawn:
    word = rng.choice(WORDS)
    return {"word": _quoted(word)}, word.upper()


def _draw_twice(rng: Random) -> Drawn:
    word = rng.choice(WORDS)
    return {"word": _quoted(word)}, f"{word} {word}"


def _draw_reverse(rng: Random) -> Drawn:
    word = rng.choice(SHORT_WORDS)
    return {"word": _quoted(word)}, word[::-1]


def _draw_first_letter(rng: Random) -> Drawn:
    word = rng.choice(WORDS)
    return {"word": _quoted(word)}, word[0]


def _draw_last_letter(rng: Random) -> Drawn:
    word = rng.choice(WORDS)
    return {"word": _quoted(word)}, word[-1]


def _draw_count_letters(rng: Random) -> Drawn:
    word = rng.choice(WORDS)
    return {"word": _quoted(word)}, str(len(word))


def _draw_count_words(rng: Random) -> Drawn:
    count = rng.randint(2, 5)
    return {"words": _quoted(" ".join(rng.sample(WORDS, count)))}, str(count)


def _draw_sort_words(rng: Random) -> Drawn:
    words = rng.sample(WORDS, 2)
    return {"words": _quoted(" ".join(words))}, " ".join(sorted(words))


def _two_words_of_unequal_length(rng: Random) -> tuple[str, str]:
    while True:
        first, second = rng.sample(WORDS, 2)
        if len(first) != len(second):
            return first, second


def _draw_longer_word(rng: Random) -> Drawn:
    first, second = _two_words_of_unequal_length(rng)
    return {"first": _quoted(first), "second": _quoted(second)}, max(first, second, key=len)


def _draw_shorter_word(rng: Random) -> Drawn:
    first, second = _two_words_of_unequal_length(rng)
    return {"first": _quoted(first), "second": _quoted(second)}, min(first, second, key=len)


def _draw_is_longer(rng: Random) -> Drawn:
    first, second = _two_words_of_unequal_length(rng)
    return {"first": _quoted(first), "second": _quoted(second)}, "yes" if len(first) > len(second) else "no"


def _draw_sum(rng: Random) -> Drawn:
    first = rng.randint(0, 20)
    second = rng.randint(0, 20 - first)
    return {"first": str(first), "second": str(second)}, str(first + second)


def _draw_difference(rng: Random) -> Drawn:
    first = rng.randint(0, 20)
    second = rng.randint(0, first)
    return {"first": str(first), "second": str(second)}, str(first - second)


def _draw_bigger_number(rng: Random) -> Drawn:
    first, second = rng.sample(range(51), 2)
    return {"first": str(first), "second": str(second)}, str(max(first, second))


KINDS: tuple[Kind, ...] = (
    Kind(
        name="copy",
        draw=_draw_copy,
        phrasings=("Copy this: {words}", "Repeat after me: {words}", "Write exactly this: {words}"),
    ),
    Kind(
        name="upper",
        draw=_draw_upper,
        phrasings=(
            "Write {word} in capital letters.",
            "Put {word} in upper case.",
            "What is {word} in capitals?",
            "Make this upper case: {word}",
        ),
    ),
    Kind(
        name="twice",
        draw=_draw_twice,
        phrasings=("Say {word} twice.", "Write {word} two times.", "Repeat twice: {word}"),
    ),
    Kind(
        name="reverse",
        draw=_draw_reverse,
        phrasings=("Reverse the word {word}.", "Spell {word} backwards.", "What is {word} in reverse?"),
    ),
    Kind(
        name="first_letter",
        draw=_draw_first_letter,
        phrasings=(
            "What is the first letter of {word}?",
            "Which letter does {word} start with?",
            "Give me the first letter of {word}.",
        ),
    ),
    Kind(
        name="last_letter",
        draw=_draw_last_letter,
        phrasings=(
            "What is the last letter of {word}?",
            "Which letter does {word} end with?",
            "Give me the last letter of {word}.",
        ),
    ),
    Kind(
        name="count_letters",
        draw=_draw_count_letters,
        phrasings=(
            "How many letters are in {word}?",
            "Count the letters in {word}.",
            "How long is the word {word}?",
        ),
    ),
    Kind(
        name="count_words",
        draw=_draw_count_words,
        phrasings=("How many words are here: {words}", "Count these words: {words}"),
    ),
    Kind(
        name="sort_words",
        draw=_draw_sort_words,
        phrasings=(
            "Sort these words: {words}",
            "Put in alphabetical order: {words}",
            "Sort from a to z: {words}",
        ),
    ),
    Kind(
        name="longer_word",
        draw=_draw_longer_word,
        phrasings=(
            "Which word is longer, {first} or {second}?",
            "Pick the longer word: {first} {second}",
            "Is {first} or {second} longer?",
        ),
    ),
    Kind(
        name="shorter_word",
        draw=_draw_shorter_word,
        phrasings=(
            "Which word is shorter, {first} or {second}?",
            "Pick the shorter word: {first} {second}",
            "Is {first} or {second} shorter?",
        ),
    ),
    Kind(
        name="is_longer",
        draw=_draw_is_longer,
        phrasings=(
            "Is {first} longer than {second}?",
            "Yes or no: {first} is longer than {second}.",
            "Does {first} have more letters than {second}?",
        ),
    ),
    Kind(
        name="sum",
        draw=_draw_sum,
        phrasings=(
            "What is {first} plus {second}?",
            "Add {first} and {second}.",
            "{first} + {second} =",
            "How much is {first} and {second} together?",
        ),
    ),
    Kind(
        name="difference",
        draw=_draw_difference,
        phrasings=(
            "What is {first} minus {second}?",
            "Take {second} away from {first}.",
            "{first} - {second} =",
        ),
    ),
    Kind(
        name="bigger_number",
        draw=_draw_bigger_number,
        phrasings=(
            "Which number is bigger, {first} or {second}?",
            "Pick the bigger number: {first} {second}",
            "Is {first} or {second} the larger number?",
        ),
    ),
)
