"""What each layout's rows become."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.source_rows import LineMalformed
from generation.prompt_import.columns import ColumnMapping, ColumnsUnknown
from generation.prompt_import.layouts import ImportOptions, PromptLayoutUnknown, read_prompts, settle
from generation.prompt_lines import NewPrompt
from tests.annotation.judgment_import.sources import as_files, lines

CHAT = [("human", "Hi"), ("gpt", "Hello!"), ("human", "And now?"), ("gpt", "Now what?")]
SYSTEM = {"role": "system", "content": "x"}
SHAREGPT = {"id": "x", "conversations": [{"from": role, "value": text} for role, text in CHAT]}
TREE: dict[str, Any] = {
    "message_tree_id": "t",
    "prompt": {
        "message_id": "1", "role": "prompter", "text": "Why?", "lang": "en",
        "replies": [
            {"message_id": "2", "role": "assistant", "text": "Worse.", "rank": 1, "replies": []},
            {
                "message_id": "3", "role": "assistant", "text": "Best.", "rank": 0,
                "replies": [{"message_id": "4", "role": "prompter", "text": "Sure?", "replies": []}],
            },
            {
                "message_id": "5", "role": "assistant", "text": "Gone.", "deleted": True,
                "replies": [{"message_id": "6", "role": "prompter", "text": "Unheard?", "replies": []}],
            },
        ],
    },
}  # fmt: skip


def said(prompt: NewPrompt) -> list[str]:
    return [message["content"] for message in prompt.messages]


def read(content: bytes | str, name: str = "a.jsonl", **options: Any) -> tuple[str, list[NewPrompt]]:
    """The layout, and the prompts. Raises LineMalformed for the first malformed row."""
    files = as_files({name: content})
    settled, _ = settle(files, ImportOptions(**options))
    prompts: list[NewPrompt] = []
    for row in read_prompts(files, settled):
        if row.problem:
            raise LineMalformed(row.problem)
        prompts += row.prompts
    return settled.layout, prompts


def test_prompts_as_concord_writes_them() -> None:
    layout, [first, second] = read(
        lines([{"prompt": "a", "tags": ["x"]}, {"messages": [{"role": "user", "content": "b"}]}])
    )
    assert layout == "prompts"
    assert (said(first), first.tags, said(second)) == (["a"], ["x"], ["b"])


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [
        ("first", [(["Hi"], "Hello!")]),
        ("last", [(["Hi", "Hello!", "And now?"], "Now what?")]),
        ("all", [(["Hi"], "Hello!"), (["Hi", "Hello!", "And now?"], "Now what?")]),
    ],
)
def test_a_sharegpt_chat_holds_a_prompt_for_each_wanted_turn(turns: str, wanted: list[Any]) -> None:
    layout, prompts = read(lines([SHAREGPT]), turns=turns)
    assert layout == "sharegpt"
    assert [(said(prompt), prompt.reference) for prompt in prompts] == wanted


def test_messages_that_end_with_a_reply_are_a_chat() -> None:
    row = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]}
    assert read(lines([row]))[0] == "sharegpt"
    assert read(lines([{"messages": row["messages"][:1]}]))[0] == "prompts"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"conversations": [{"from": "alien", "value": "x"}]}, "turn 1 is from 'alien'"),
        ({"conversations": [{"from": "gpt", "value": "x"}]}, "no turn is the user's"),
        ({"conversations": [{"from": "human"}]}, "turn 1 has no text"),
        ({"conversations": "x"}, "expected a list of turns"),
        ({"conversations": [7]}, "turn 1 must be an object"),
    ],
)
def test_a_chat_of_another_shape_is_malformed(row: Any, reason: str) -> None:
    with pytest.raises(LineMalformed, match=reason):
        read(lines([row]), layout="sharegpt")


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [
        ("first", [(["Why?"], "Best.")]),
        ("last", [(["Why?", "Best.", "Sure?"], "")]),
        ("all", [(["Why?"], "Best."), (["Why?", "Best.", "Sure?"], "")]),
    ],
)
def test_a_tree_holds_the_prompters_turns_and_the_best_reply_is_the_reference(turns: str, wanted: list[Any]) -> None:
    layout, prompts = read(lines([TREE]), turns=turns)
    assert layout == "oasst"
    assert [(said(prompt), prompt.reference) for prompt in prompts] == wanted


def test_a_tree_whose_language_is_known_is_tagged() -> None:
    assert read(lines([TREE]), turns="first")[1][0].tags == ["en"]


def test_a_deleted_tree_holds_nothing() -> None:
    assert read(lines([{"prompt": {**TREE["prompt"], "deleted": True}}]))[1] == []


def test_a_very_deep_tree_is_malformed_and_harms_nobody() -> None:
    message: dict[str, Any] = {"role": "prompter", "text": "x", "replies": []}
    for _ in range(260):
        message = {"role": "assistant", "text": "x", "replies": [message]}
    with pytest.raises(LineMalformed, match="nested too deep"):
        read(lines([{"prompt": message}]), layout="oasst")


def test_alpaca_joins_instruction_and_input() -> None:
    row = {"instruction": "Translate.", "input": "chat", "output": "cat", "system": "Be brief."}
    layout, [prompt] = read(lines([row]))
    assert layout == "alpaca"
    assert (said(prompt), prompt.reference) == (["Be brief.", "Translate.\n\nchat"], "cat")


def test_alpaca_keeps_history_and_self_instruct_several_instances() -> None:
    [prompt] = read(lines([{"instruction": "c", "output": "d", "history": [["a", "b"]]}]))[1]
    assert said(prompt) == ["a", "b", "c"]
    row = {"instruction": "Add.", "instances": [{"input": "1 1", "output": "2"}, {"input": "", "output": "0"}]}
    assert [(said(one), one.reference) for one in read(lines([row]))[1]] == [(["Add.\n\n1 1"], "2"), (["Add."], "0")]


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": 7, "output": ""},
        {"instruction": "a", "output": 7},
        {"instruction": "a", "instances": []},
        {"instruction": "a", "output": "", "history": ["b"]},
    ],
)
def test_alpaca_of_another_shape_is_malformed(row: Any) -> None:
    with pytest.raises(LineMalformed):
        read(lines([row]))


def test_the_turns_that_both_dialogues_of_a_pair_share_are_the_prompt() -> None:
    start = "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: Bye\n\nAssistant:"
    layout, [prompt] = read(lines([{"chosen": f"{start} Bye!", "rejected": f"{start} No."}]))
    assert layout == "pairs"
    assert said(prompt) == ["Hi", "Hello!", "Bye"]
    assert said(read(lines([{"prompt": "Hi", "chosen": "a", "rejected": "b"}]))[1][0]) == ["Hi"]
    for row in ({"chosen": "a", "rejected": "b"}, {"chosen": [{"role": "user"}], "rejected": [7]}):
        with pytest.raises(LineMalformed):
            read(lines([row]))


def test_columns_are_recognised_by_their_names() -> None:
    layout, [prompt] = read('id,Question,Answer,category\n1,Why?,So.,"a, b"\n', "a.csv")
    assert layout == "table"
    assert (said(prompt), prompt.reference, prompt.tags) == (["Why?"], "So.", ["a", "b"])


def test_named_columns_are_used_and_no_others() -> None:
    mapping = ColumnMapping(prompt="goal", system="rules", tags=("kind", "place"), is_sensitive="label")
    rows = "goal,rules,kind,place,label,answer\nWin,Be fair,game;sport,park,unsafe,no\nRest,,,,safe,no\n"
    first, second = read(rows, "a.csv", columns=mapping)[1]
    assert (said(first), first.tags, first.is_sensitive) == (["Be fair", "Win"], ["game", "sport", "park"], True)
    assert (said(second), second.reference, second.tags, second.is_sensitive) == (["Rest"], "", [], False)


def test_naming_a_column_makes_json_lines_a_table() -> None:
    layout, [prompt] = read(lines([{"prompt": "a", "other": "b"}]), columns=ColumnMapping(prompt="other"))
    assert (layout, said(prompt)) == ("table", ["b"])


@pytest.mark.parametrize(
    ("row", "mapping", "reason"),
    [
        ({"a": None}, {}, "'a' is empty"),
        ({"a": {"b": 1}}, {}, "must be text or a list"),
        ({"a": "x", "t": [[1]]}, {"tags": ("t",)}, "'t' must be a text or a list of texts"),
        ({"a": "x", "t": "y" * 121}, {"tags": ("t",)}, "it is no tag"),
        ({"a": "x", "s": "perhaps"}, {"is_sensitive": "s"}, "'s' must be yes or no"),
        ({"a": [{"role": "system", "content": "x"}], "s": "z"}, {"system": "s"}, "last turn must be the user's"),
        ({"a": [SYSTEM, {"role": "user", "content": "y"}], "s": "z"}, {"system": "s"}, "has a system turn already"),
        ({"a": "x", "r": {"y": 1}}, {"reference": "r"}, "'r' must be text, it is dict"),
    ],
)  # fmt: skip
def test_a_cell_of_another_kind_is_malformed(row: Any, mapping: dict[str, Any], reason: str) -> None:
    with pytest.raises(LineMalformed, match=reason):
        read(lines([row]), columns=ColumnMapping(prompt="a", **mapping))


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ColumnsUnknown, match=r"no column 'goal'; there are 'prompt', 'answer'"):
        read("prompt,answer\na,b\n", "a.csv", columns=ColumnMapping(prompt="goal"))
    with pytest.raises(ColumnsUnknown, match="No column looks like the prompt"):
        read("x,y\na,b\n", "a.csv", layout="table")


def test_parquet_is_read_with_its_nested_columns() -> None:
    messages = [{"role": "user", "content": "Why?"}]
    buffer = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist([{"messages": messages, "tags": ["a"]}, {"messages": messages, "tags": []}]), buffer
    )
    layout, prompts = read(buffer.getvalue(), "a.parquet")
    assert layout == "prompts"
    assert [(said(prompt), prompt.tags) for prompt in prompts] == [(["Why?"], ["a"]), (["Why?"], [])]


def test_replies_are_left_out_on_request() -> None:
    assert read(lines([SHAREGPT]), has_references=False)[1][0].reference == ""


def test_unknown_rows_and_layouts_are_refused() -> None:
    with pytest.raises(PromptLayoutUnknown, match="'colour'"):
        read(json.dumps({"colour": 1}))
    with pytest.raises(PromptLayoutUnknown, match="no layout 'poem'"):
        read(lines([SHAREGPT]), layout="poem")
    with pytest.raises(PromptLayoutUnknown, match="turns"):
        read(lines([SHAREGPT]), turns="every")
