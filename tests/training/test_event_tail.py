from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.event_tail import EventTail


def line(step: int) -> str:
    return json.dumps({"kind": "step", "step": step}) + "\n"


def steps(events: list[dict[str, Any]]) -> list[int]:
    return [event["step"] for event in events]


def test_a_file_that_is_not_there_yet_has_no_events(tmp_path: Path) -> None:
    assert EventTail(tmp_path / "events.jsonl").read() == []


def test_each_line_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    path.write_text(line(1) + line(2))
    assert steps(tail.read()) == [1, 2]
    assert tail.read() == []
    with path.open("a") as file:
        file.write(line(3))
    assert steps(tail.read()) == [3]


def test_a_half_written_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    path.write_text(line(1) + line(2)[:7])
    assert steps(tail.read()) == [1]
    path.write_text(line(1) + line(2))
    assert steps(tail.read()) == [2]


def test_a_line_that_a_killed_process_tore_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line(1).encode() + b'{"kind": "st\n' + b"\xff\xfe\n" + b"[1]\n" + b"{}\n" + line(2).encode())
    assert steps(EventTail(path).read()) == [1, 2]
