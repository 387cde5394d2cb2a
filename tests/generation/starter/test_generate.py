from __future__ import annotations

import re

import pytest

from generation.splits import fingerprint
from generation.starter import StarterPrompt, StarterSetExhausted, generate, kind_names
from generation.starter.kinds import KINDS
from generation.starter.words import SHORT_WORDS, WORDS

PROMPTS = generate(num_prompts=1500, seed=5)


def of_kind(kind: str) -> list[StarterPrompt]:
    return [prompt for prompt in PROMPTS if prompt.kind == kind]


def instruction(prompt: StarterPrompt) -> str:
    return prompt.messages[0]["content"]


def quoted(prompt: StarterPrompt) -> list[str]:
    return re.findall(r'"([a-z ]+)"', instruction(prompt))


def numbers(prompt: StarterPrompt) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", instruction(prompt))]


def test_the_same_seed_gives_the_same_set() -> None:
    assert generate(num_prompts=200, seed=3) == generate(num_prompts=200, seed=3)


def test_another_seed_gives_another_set() -> None:
    assert generate(num_prompts=50, seed=3) != generate(num_prompts=50, seed=4)


def test_a_smaller_set_is_the_start_of_a_larger_one() -> None:
    assert generate(num_prompts=100, seed=3) == generate(num_prompts=200, seed=3)[:100]


def test_no_two_prompts_have_the_same_fingerprint() -> None:
    assert len({fingerprint(prompt.messages) for prompt in PROMPTS}) == len(PROMPTS) == 1500


def test_every_prompt_is_one_user_turn_with_a_short_answer() -> None:
    for prompt in PROMPTS:
        assert [message["role"] for message in prompt.messages] == ["user"]
        assert 1 <= len(prompt.reference.split()) <= 4
        assert prompt.reference == prompt.reference.strip()


def test_the_kinds_come_equally_often_while_they_last() -> None:
    assert {len(of_kind(kind)) for kind in kind_names()} == {1500 // len(kind_names())}


def test_every_kind_has_several_phrasings() -> None:
    for kind in kind_names():
        bare = {re.sub(r'"[a-z ]+"|\d+', "_", instruction(prompt)) for prompt in of_kind(kind)}
        assert len(bare) >= 2, kind


def test_ten_thousand_prompts_can_be_told_apart() -> None:
    assert len(generate(num_prompts=10_000, seed=0)) == 10_000


def test_asking_for_too_many_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    sums_only = tuple(kind for kind in KINDS if kind.name == "sum")
    monkeypatch.setattr("generation.starter.KINDS", sums_only)
    with pytest.raises(StarterSetExhausted, match="5000 prompts wanted, only 9"):
        generate(num_prompts=5000, seed=0)


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not be negative"):
        generate(num_prompts=-1, seed=0)


def test_the_words_are_short_lower_case_and_all_different() -> None:
    assert len(set(WORDS)) == len(WORDS)
    assert all(re.fullmatch("[a-z]{3,6}", word) for word in WORDS)
    assert set(SHORT_WORDS) < set(WORDS)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("copy", lambda text: text),
        ("upper", str.upper),
        ("twice", lambda text: f"{text} {text}"),
        ("reverse", lambda text: "".join(reversed(text))),
        ("first_letter", lambda text: text[0]),
        ("last_letter", lambda text: text[-1]),
        ("count_letters", lambda text: str(len(text))),
        ("count_words", lambda text: str(text.count(" ") + 1)),
        ("sort_words", lambda text: " ".join(sorted(text.split(" ")))),
    ],
)
def test_the_reference_is_right_for_one_quoted_text(kind: str, answer: object) -> None:
    assert callable(answer)
    for prompt in of_kind(kind):
        (text,) = quoted(prompt)
        assert prompt.reference == answer(text)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("longer_word", lambda first, second: first if len(first) > len(second) else second),
        ("shorter_word", lambda first, second: first if len(first) < len(second) else second),
        ("is_longer", lambda first, second: "yes" if len(first) > len(second) else "no"),
    ],
)
def test_the_reference_is_right_for_two_words_of_unequal_length(kind: str, answer: object) -> None:
    assert callable(answer)
    for prompt in of_kind(kind):
        first, second = quoted(prompt)
        assert len(first) != len(second)
        assert prompt.reference == answer(first, second)


def test_sums_stay_within_twenty_and_are_right() -> None:
    for prompt in of_kind("sum"):
        assert int(prompt.reference) == sum(numbers(prompt)) <= 20


def test_differences_are_never_negative_and_right() -> None:
    for prompt in of_kind("difference"):
        assert int(prompt.reference) == abs(numbers(prompt)[0] - numbers(prompt)[1])


def test_the_bigger_number_is_the_bigger_number() -> None:
    for prompt in of_kind("bigger_number"):
        assert int(prompt.reference) == max(numbers(prompt))
