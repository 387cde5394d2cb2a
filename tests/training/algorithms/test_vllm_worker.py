"""What the process that has vLLM does with its engine. A recorder stands for the engine: no GPU is here to sleep."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from training.algorithms import vllm_worker
from training.algorithms.vllm_worker import Worker

ORDER = {"order": "sample", "prompts": [[5, 6], [7]], "seeds": [1, 2], "temperature": 0.7, "max_new_tokens": 3}


class Recorder:
    """Writes down what it is asked, and says one token for each prompt."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.parameters: list[dict[str, Any]] = []

    def generate(self, prompts: list[dict[str, Any]], parameters: list[dict[str, Any]], *, use_tqdm: bool) -> list[Any]:
        assert not use_tqdm
        self.calls.append(("generate", prompts))
        self.parameters = parameters
        said = SimpleNamespace(token_ids=[9], logprobs=[{9: SimpleNamespace(logprob=-0.5)}])
        return [SimpleNamespace(outputs=[said]) for _ in prompts]

    def collective_rpc(self, method: str, *, kwargs: dict[str, Any]) -> None:
        self.calls.append((method, kwargs))

    def reset_prefix_cache(self) -> bool:
        self.calls.append("reset_prefix_cache")
        return True

    def sleep(self, *, level: int) -> None:
        self.calls.append(("sleep", level))

    def wake_up(self, tags: list[str] | None = None) -> None:
        self.calls.append(("wake_up", tags))


def opened(*, sleeps: bool) -> tuple[Recorder, Worker]:
    recorder = Recorder()
    return recorder, Worker(recorder, dict, sleeps=sleeps)


def test_new_weights_come_with_an_empty_prefix_cache() -> None:
    recorder, worker = opened(sleeps=False)
    assert worker.answer({"order": "reload", "folder": "/w"}) == {}
    assert recorder.calls == [("reload_weights", {"weights_path": "/w"}), "reset_prefix_cache"]


def test_every_prompt_is_drawn_with_its_seed_from_the_whole_distribution() -> None:
    recorder, worker = opened(sleeps=False)
    assert worker.answer({**ORDER, "stop_id": 4}) == {"completions": [[9], [9]], "logps": [[-0.5], [-0.5]]}
    assert recorder.calls == [("generate", [{"prompt_token_ids": [5, 6]}, {"prompt_token_ids": [7]}])]
    assert [one["seed"] for one in recorder.parameters] == [1, 2]
    for one in recorder.parameters:
        assert (one["temperature"], one["top_p"], one["top_k"], one["stop_token_ids"]) == (0.7, 1.0, -1, [4])


def test_on_a_gpu_it_sleeps_after_a_rollout_and_wakes_its_weights_before_new_ones_are_loaded() -> None:
    recorder, worker = opened(sleeps=True)
    worker.answer({**ORDER, "stop_id": 4})
    worker.answer({"order": "reload", "folder": "/w"})
    worker.answer({**ORDER, "stop_id": 4})
    worker.answer({**ORDER, "stop_id": 4})  # the policy has not moved: it wakes up as it was
    assert [call if isinstance(call, str) else call[0] for call in recorder.calls] == [
        *("generate", "sleep", "wake_up", "reload_weights", "wake_up", "reset_prefix_cache"),
        *("generate", "sleep", "wake_up", "generate", "sleep"),
    ]
    assert [call[1] for call in recorder.calls if call[0] == "wake_up"] == [["weights"], ["kv_cache"], None]
    assert ("sleep", 1) in recorder.calls


def test_a_cache_that_is_not_empty_after_new_weights_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, worker = opened(sleeps=False)
    monkeypatch.setattr(recorder, "reset_prefix_cache", lambda: False)
    with pytest.raises(RuntimeError, match="could not be reset"):
        worker.answer({"order": "reload", "folder": "/w"})


def test_killing_its_parent_ends_it_though_its_orders_stay_open() -> None:
    reading, writing = os.pipe()  # held here: the end of the orders is not what ends it
    code = (
        "import os, subprocess, sys, time\n"
        f"command = [sys.executable, '-I', {vllm_worker.__file__!r}, str(os.getpid())]\n"
        f"child = subprocess.Popen(command, stdin={reading})\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, pass_fds=[reading]) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        while not ignores_sigterm(status_of(worker)):
            time.sleep(0.01)  # until it has started
        worker.terminate()  # a stop that reaches the whole process group leaves it to the trainer
        assert worker.is_running()
        parent.send_signal(signal.SIGKILL)
    psutil.wait_procs([worker], timeout=60)
    os.close(reading)
    os.close(writing)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def status_of(process: psutil.Process) -> str:
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
        return file.read()


def ignores_sigterm(status: str) -> bool:
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigIgn"))
    return bool(int(mask, 16) & 1 << (signal.SIGTERM - 1))
