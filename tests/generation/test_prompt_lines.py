from __future__ import annotations

from typing import Any

import pytest

from core.source_rows import LineMalformed
from generation.prompt_lines import parse_prompt

USER = {"role": "user", "content": "What is 1 plus 1?"}
ASSISTANT = {"role": "assistant", "content": "2"}


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
def test_a_malformed_row_is_refused_with_its_reason(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(LineMalformed) as raised:
        parse_prompt(row)
    assert str(raised.value).startswith(reason)


def test_a_text_is_one_turn_of_the_user() -> None:
    assert parse_prompt({"prompt": "Hello"}).messages == [{"role": "user", "content": "Hello"}]


def test_messages_keep_their_turns_and_everything_optional_is_read() -> None:
    row = {"messages": [USER, ASSISTANT, USER], "reference": "2", "tags": ["sum"], "is_sensitive": True}
    prompt = parse_prompt(row)
    assert prompt.messages == [USER, ASSISTANT, USER]
    assert (prompt.reference, prompt.tags, prompt.is_sensitive) == ("2", ["sum"], True)


def test_what_postgresql_cannot_hold_is_taken_out() -> None:
    prompt = parse_prompt({"prompt": "a\x00b\ud800", "reference": "c\x00", "tags": ["d\x00\ud800"]})
    assert prompt.messages[0]["content"] == "ab?"
    assert (prompt.reference, prompt.tags) == ("c", ["d?"])
