"""Principles, and the conversations of a round."""

from __future__ import annotations

from typing import Any

import pytest

from generation.constitutions.principles import (
    EXAMPLE,
    ConstitutionInvalid,
    Principle,
    drawn_principles,
    principles_from_json,
    principles_to_json,
)
from generation.constitutions.rounds import critique_conversation, revision_conversation

KIND = Principle(name="Kind", critique="Was that kind?", revision="Say it kindly.")
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Am I clever?"}]


def test_principles_are_written_down_and_read_again() -> None:
    assert principles_from_json(principles_to_json(EXAMPLE)) == EXAMPLE


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "a list of 1 to 100 principles"),
        ([], "a list of 1 to 100 principles"),
        (["Be kind."], "principle 1 must be an object"),
        ([{"name": "a", "critique": "b"}], "principle 1 must be an object"),
        ([{"name": " ", "critique": "b", "revision": "c"}], "the name of principle 1"),
        ([{"name": "a", "critique": "b" * 4001, "revision": "c"}], "the critique of principle 1"),
        ([{"name": "a", "critique": "b", "revision": "\0"}], "the revision of principle 1"),
        ([{"name": "a", "critique": "b", "revision": "c"}] * 2, "two principles are called 'a'"),
    ],
)
def test_other_principles_are_refused(value: Any, reason: str) -> None:
    with pytest.raises(ConstitutionInvalid, match=reason):
        principles_from_json(value)


def test_all_principles_in_order_or_some_by_seed_and_key() -> None:
    assert drawn_principles(EXAMPLE, number=None, seed=0, key=1) == list(EXAMPLE)
    assert drawn_principles(EXAMPLE, number=9, seed=0, key=1) == list(EXAMPLE)
    draws = [tuple(drawn_principles(EXAMPLE, number=1, seed=0, key=key)) for key in range(30)]
    assert set(draws) == {(principle,) for principle in EXAMPLE}
    assert draws == [tuple(drawn_principles(EXAMPLE, number=1, seed=0, key=key)) for key in range(30)]


def test_a_round_asks_for_a_critique_and_then_for_a_revision() -> None:
    critique = critique_conversation(ASKED, "No.", KIND)
    assert [turn["content"] for turn in critique] == ["Be brief.", "Am I clever?", "No.", "Was that kind?"]
    revision = revision_conversation(ASKED, "No.", KIND, "It was not.")
    assert revision[:4] == critique
    assert revision[4:] == [
        {"role": "assistant", "content": "It was not."},
        {"role": "user", "content": "Say it kindly."},
    ]
