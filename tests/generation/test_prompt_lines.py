from __future__ import annotations

import json
from typing import Any

import pytest

from generation.prompt_lines import MAX_PROBLEMS_SHOWN, ImportRefused, parse_prompts

USER = {"role": "user", "content": "What is 1 plus 1?"}
ASSISTANT = {"role": "assistant", "content": "2"}


def refused(*lines: str) -> list[tuple[int, str]]:
    with pytest.raises(ImportRefused) as raised:
        parse_prompts(lines)
    return raised.value.problems


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": "Hello"}, 'expected "prompt" or "messages"'),
        ({"prompt": 7}, "a prompt must be text or a list of {role, content} messages"),
        ({"messages": []}, "a prompt must be text or a list of {role, content} messages"),
        ({"prompt": "  \n"}, "turn 1 is empty"),
        ({"prompt": "\x00"}, "turn 1 is empty"),
        ({"messages": [USER, ASSISTANT]}, "the last turn must be the user's, it is the assistant's"),
        ({"messages": ["Hello"]}, "turn 1 must be an object with a role and a text as content"),
        ({"messages": [{"role": "user", "content": None}]}, "turn 1 must be an object with a role and a text"),
        ({"messages": [USER, {"role": "robot", "content": "x"}]}, "turn 2 has the role 'robot'"),
        ({"prompt": "Hello", "tags": "greeting"}, '"tags" must be a list of texts'),
        ({"prompt": "Hello", "tags": [1]}, '"tags" must be a list of texts'),
        ({"prompt": "Hello", "reference": 2}, '"reference" must be text'),
    ],
)
def test_a_malformed_line_is_refused_with_its_number_and_reason(row: dict[str, Any], reason: str) -> None:
    [(number, words)] = refused(json.dumps({"prompt": "Fine"}), json.dumps(row))
    assert number == 2
    assert words.startswith(reason)


@pytest.mark.parametrize("line", ["{", "[" * 100_000, "9" * 10_000, "[1]", "null", '"text"'])
def test_a_line_that_is_no_json_object_is_refused(line: str) -> None:
    [(number, reason)] = refused(line)
    assert number == 1
    assert reason.startswith(("not valid JSON", "expected a JSON object"))


def test_every_malformed_line_is_named_and_blank_lines_count() -> None:
    problems = refused("{", "", json.dumps({"prompt": "Fine"}), "null")
    assert [number for number, _ in problems] == [1, 4]


def test_a_long_list_of_problems_is_cut_in_the_message_but_not_in_the_data() -> None:
    with pytest.raises(ImportRefused) as raised:
        parse_prompts(["{"] * 25)
    assert len(raised.value.problems) == 25
    assert raised.value.detail.count("not valid JSON") == MAX_PROBLEMS_SHOWN
    assert "and 5 more" in raised.value.detail


@pytest.mark.parametrize("lines", [[], ["", "  \n"]])
def test_a_file_without_prompts_is_refused(lines: list[str]) -> None:
    [(_, reason)] = refused(*lines)
    assert "holds no prompt" in reason


def test_a_text_is_one_turn_of_the_user() -> None:
    [prompt] = parse_prompts([json.dumps({"prompt": "Hello"})])
    assert prompt.messages == [{"role": "user", "content": "Hello"}]


def test_messages_keep_their_turns_and_everything_optional_is_read() -> None:
    row = {"messages": [USER, ASSISTANT, USER], "reference": "2", "tags": ["sum"], "is_sensitive": True}
    [prompt] = parse_prompts([json.dumps(row)])
    assert prompt.messages == [USER, ASSISTANT, USER]
    assert (prompt.reference, prompt.tags, prompt.is_sensitive) == ("2", ["sum"], True)


def test_what_postgresql_cannot_hold_is_taken_out() -> None:
    row = {"prompt": "a\x00b\ud800", "reference": "c\x00", "tags": ["d\x00\ud800"]}
    [prompt] = parse_prompts([json.dumps(row)])
    assert prompt.messages[0]["content"] == "ab?"
    assert (prompt.reference, prompt.tags) == ("c", ["d?"])
