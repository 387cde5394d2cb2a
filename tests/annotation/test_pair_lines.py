from __future__ import annotations

import json
from typing import Any

import pytest

from annotation.pair_lines import PreferencePair, parse_pair, parse_pairs
from core.source_rows import LineMalformed

QUESTION = "\n\nHuman: What is 1 plus 1?\n\nAssistant: "
USER = {"role": "user", "content": "What is 1 plus 1?"}
TWO, THREE = {"role": "assistant", "content": "2"}, {"role": "assistant", "content": "3"}
EXPECTED = PreferencePair(messages=[USER], chosen="2", rejected="3")


@pytest.mark.parametrize(
    "row",
    [
        {"chosen": QUESTION + "2", "rejected": QUESTION + "3"},
        {"chosen": QUESTION + " 2\n", "rejected": QUESTION + "3 "},
        {"prompt": "What is 1 plus 1?", "chosen": "2", "rejected": "3"},
        {"prompt": [USER], "chosen": [TWO], "rejected": [THREE]},
        {"prompt": [USER], "chosen": "2", "rejected": "3"},
        {"chosen": [USER, TWO], "rejected": [USER, THREE]},
        {"chosen": [USER, TWO], "rejected": [USER, THREE], "score_chosen": 9.0},
    ],
    ids=["hh-rlhf", "hh-rlhf blanks", "plain", "conversational", "mixed", "implicit prompt", "other columns"],
)
def test_every_layout_says_the_same(row: dict[str, Any]) -> None:
    assert parse_pair(row) == EXPECTED


def test_a_dialogue_of_hh_rlhf_keeps_its_turns() -> None:
    start = "\n\nHuman: Hi\n\nAssistant: Hello.\nHow can I help?\n\nHuman: Tell me: why?\n\nAssistant:"
    pair = parse_pair({"chosen": f"{start} Because.", "rejected": f"{start} No."})
    assert [(turn["role"], turn["content"]) for turn in pair.messages] == [
        ("user", "Hi"),
        ("assistant", "Hello.\nHow can I help?"),
        ("user", "Tell me: why?"),
    ]
    assert (pair.chosen, pair.rejected) == ("Because.", "No.")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"chosen": "2"}, "rejected is missing"),
        ({"prompt": "x", "rejected": "2"}, "chosen is missing"),
        ({"prompt": "x", "chosen": "2", "rejected": ["3"]}, "must both be text or both be lists"),
        ({"chosen": "2", "rejected": "3"}, 'without a "prompt"'),
        ({"chosen": 2, "rejected": 3}, 'without a "prompt"'),
        ({"prompt": "x", "chosen": 2, "rejected": 3}, '"chosen" must be text'),
        ({"prompt": "x", "chosen": "", "rejected": "3"}, "the chosen reply has no text"),
        ({"prompt": "x", "chosen": "2", "rejected": " \x00\n"}, "the rejected reply has no text"),
        ({"prompt": "x", "chosen": "2", "rejected": " 2 "}, "are equal"),
        ({"prompt": "", "chosen": "2", "rejected": "3"}, "turn 1 is empty"),
        ({"prompt": [USER, TWO], "chosen": "2", "rejected": "3"}, "the last turn must be the user's"),
        ({"prompt": [USER], "chosen": [USER], "rejected": [THREE]}, "the chosen reply must be the assistant's"),
        ({"prompt": [USER], "chosen": [TWO], "rejected": [THREE, THREE]}, '"rejected" must be text or one'),
        ({"chosen": QUESTION + "2", "rejected": QUESTION + "2"}, "are equal"),
        ({"chosen": QUESTION + "2", "rejected": QUESTION}, "the rejected reply has no text"),
        ({"chosen": QUESTION + "2", "rejected": "3"}, "a dialogue must start with"),
        ({"chosen": QUESTION + "2", "rejected": QUESTION + "3\n\nHuman: x\n\nAssistant: y"}, "share every turn"),
        ({"chosen": [USER, TWO], "rejected": [THREE]}, "share every turn"),
        ({"chosen": [USER, TWO], "rejected": [USER]}, "share every turn"),
        ({"chosen": [TWO], "rejected": [THREE]}, "a prompt must be"),
        ({"chosen": "\n\nHuman: a", "rejected": "\n\nHuman: b"}, "must be the assistant's, it is the user's"),
    ],
)
def test_a_line_that_holds_no_pair_is_refused_with_the_reason(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(LineMalformed, match=reason):
        parse_pair(row)


def test_pairs_and_problems_come_apart_with_line_numbers() -> None:
    good = json.dumps({"prompt": "x", "chosen": "2", "rejected": "3"})
    pairs, problems = parse_pairs([good, "{", "", '{"chosen": "x"}', good])
    assert len(pairs) == 2
    assert [number for number, _ in problems] == [2, 4]
