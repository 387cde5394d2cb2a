"""The first rows of a dataset."""

import json
from pathlib import Path

from frontend.preview import first_rows


def test_conversations_are_read_from_their_json_strings(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    messages = [{"role": "user", "content": "Hi"}]
    path.write_text(json.dumps({"prompt": json.dumps(messages), "chosen": "[1]"}) + "\n")

    assert first_rows(path, 5) == [{"prompt": messages, "chosen": "[1]"}]


def test_no_more_rows_than_asked_for_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"prompt": "a"}\n' * 3 + "not json, and never reached\n")

    assert len(first_rows(path, 3)) == 3


def test_a_missing_file_has_no_rows(tmp_path: Path) -> None:
    assert first_rows(tmp_path / "data.jsonl", 3) == []
