"""What the end of a training process is called, and how often it is tried again."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import get_args

import pytest

from training import endings
from training.algorithms.failures import FailureKind
from training.endings import RETRIES, Ending, Retries

KILLED = -signal.SIGKILL


@pytest.mark.parametrize(
    ("ending", "kind", "words"),
    [
        (Ending(exit_code=1, written={"kind": "data_error", "error": "row 5"}), "data_error", "row 5"),
        (Ending(exit_code=143), "stopped", "Resume the run"),
        (Ending(exit_code=3), "process-died", "exit code 3"),
        (Ending(exit_code=KILLED), "process-died", "signal 9"),
        (Ending(exit_code=-signal.SIGSEGV, has_memory_run_out=True), "process-died", "signal 11"),
        (Ending(exit_code=KILLED, has_memory_run_out=True), "host_out_of_memory", "max_prompt_tokens"),
        (Ending(exit_code=1, free_bytes=100), "disk_full", "Free some space"),
        (Ending(exit_code=143, silence=901.0), "stall", "no sign of progress for 901 s"),
        (Ending(exit_code=1, silence=9.0, written={"kind": "unknown", "error": "?"}), "stall", "CONCORD_STALL_SECONDS"),
    ],
    ids=["written", "stopped", "exit code", "killed", "segfault", "memory", "full disk", "stall", "stall and more"],
)
def test_an_ending_has_a_name_and_advice(ending: Ending, kind: str, words: str) -> None:
    assert ending.kind == kind
    assert words in ending.error


def test_a_process_that_ended_well_is_a_success_even_if_it_was_thought_stalled() -> None:
    assert Ending(exit_code=0, silence=901.0).is_success


@pytest.mark.parametrize("kind", ["stall", "unknown"])
def test_a_kind_is_tried_again_a_fixed_number_of_times(kind: str) -> None:
    retries = Retries()
    ending = Ending(exit_code=1, written={"kind": kind, "error": ""})
    allowed = [retries.allow(Ending(exit_code=1, written=ending.written, newest_step=step)) for step in range(5)]
    assert allowed == [True] * RETRIES[kind] + [False] * (5 - RETRIES[kind])


@pytest.mark.parametrize(
    "ending",
    [
        Ending(exit_code=KILLED, has_memory_run_out=True),
        Ending(exit_code=1, written={"kind": "out_of_memory", "error": "", "may_shrink": True}),
    ],
    ids=["host", "device"],
)
def test_memory_that_ran_out_gets_three_tries_with_smaller_forward_passes(ending: Ending) -> None:
    retries = Retries()
    assert ending.wants_smaller
    assert [retries.allow(ending) for _ in range(5)] == [True, True, True, False, False]


@pytest.mark.parametrize("kind", sorted(set(get_args(FailureKind)) - {"unknown"}))
def test_what_has_a_reason_is_not_tried_again(kind: str) -> None:
    assert not Retries().allow(Ending(exit_code=1, written={"kind": kind, "error": ""}))


def test_a_killed_process_that_got_further_starts_a_new_count() -> None:
    retries = Retries()
    assert all(retries.allow(Ending(exit_code=KILLED, newest_step=step)) for step in range(1, 20))


def test_a_process_killed_at_the_same_place_is_given_up() -> None:
    retries = Retries()
    allowed = [retries.allow(Ending(exit_code=KILLED, newest_step=7)) for _ in range(4)]
    assert allowed == [True, True, False, False]


def test_the_kernel_is_asked_how_often_memory_ran_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = tmp_path / "vmstat"
    counters.write_text("nr_free_pages 12\noom_kill 3\noom_kill_disable 9\n")
    monkeypatch.setattr(endings, "KERNEL_COUNTERS", counters)
    assert endings.num_memory_kills() == 3
    monkeypatch.setattr(endings, "KERNEL_COUNTERS", tmp_path / "nowhere")
    assert endings.num_memory_kills() == 0
