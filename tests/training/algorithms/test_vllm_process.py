"""Starting, losing and ending the process that samples, without vLLM: scripts stand for its interpreter."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

from tests.training.algorithms.builders import ask, language_model, tokeniser
from training.algorithms.config import PPOConfig
from training.algorithms.samplers import InProcessSampler
from training.algorithms.vllm_process import SamplerFailed, VllmProcess, worker_environment
from training.algorithms.vllm_sampler import VllmSampler

ANSWER = '{"completions": [[5, 6]], "logps": [[-1.0, -2.0]]}'
CONFIG = PPOConfig(batch_size=1, num_minibatches=1, max_completion_tokens=6, max_prompt_tokens=40)


def interpreter(folder: Path, body: str) -> Path:
    """A program that is started as vLLM's interpreter would be; `answer(text)` and the lines of orders are at hand."""
    program = folder / "python"
    head = f"#!{sys.executable}\nimport os, sys\ndef answer(text):\n    print(text, flush=True)\nlines = sys.stdin\n"
    program.write_text(head + dedent(body))
    program.chmod(0o755)
    return program


def sampler(folder: Path, python: Path, said: list[str]) -> VllmSampler:
    return VllmSampler(
        python=python,
        folder=folder / "rollout",
        log=folder / "vllm.log",
        policy=language_model(),
        config=CONFIG,
        stop_id=tokeniser().stop_id,
        num_threads=1,
        report=said.append,
    )


def test_an_environment_without_vllm_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(SamplerFailed, match=r"(?s)No module named 'vllm'.*\"in_process\""):
        VllmProcess(Path(sys.executable), {"model": "", "dtype": "", "max_tokens": 1, "max_requests": 1,
                    "cache_bytes": 1}, log=tmp_path / "vllm.log", num_threads=1)  # fmt: skip


def test_a_process_that_dies_in_a_rollout_is_started_once_more(tmp_path: Path) -> None:
    body = (
        """
        for number, line in enumerate(lines):
            if number == 1 and not os.path.exists("died"):
                open("died", "w").close()
                sys.exit("KeyError: it could not go on")
            answer('{}' if number == 0 else '"""
        + ANSWER
        + "')\n"
    )
    said: list[str] = []
    made = sampler(tmp_path, interpreter(tmp_path, body), said)
    made.renew()
    sampled = made.sample([[1, 2]], seeds=[0])
    made.close()
    assert sampled.completions == [(5, 6)]
    assert sampled.logps == [[-1.0, -2.0]]
    assert len(said) == 1
    assert "it could not go on" in said[0]
    assert not (tmp_path / "rollout").exists()


def test_one_that_dies_again_ends_the_run_with_a_name(tmp_path: Path) -> None:
    body = """
        lines.readline()
        answer("{}")
        lines.readline()
        sys.exit("KeyError: it could not go on")
    """
    said: list[str] = []
    made = sampler(tmp_path, interpreter(tmp_path, body), said)
    with pytest.raises(SamplerFailed, match="ended with exit code 1"):
        made.sample([[1, 2]], seeds=[0])
    made.close()
    assert len(said) == 1


def test_one_that_ends_neither_with_its_orders_nor_by_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.algorithms.vllm_process.END_SECONDS", 0.1)
    body = """
        import time
        lines.readline()
        answer("{}")
        time.sleep(600)
    """
    made = sampler(tmp_path, interpreter(tmp_path, body), [])
    made.renew()
    assert made.pid is not None
    process = psutil.Process(made.pid)
    made.close()
    assert not process.is_running()


def test_one_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.algorithms.vllm_process.START_SECONDS", 0.2)
    with pytest.raises(SamplerFailed, match="did not answer"):
        sampler(tmp_path, interpreter(tmp_path, "import time\ntime.sleep(600)"), []).renew()


def test_the_process_sees_no_variable_that_is_not_vllms() -> None:
    seen = worker_environment(
        {"SECRET_KEY": "x", "DATABASE_URL": "x", "PYTHONPATH": "x", "PATH": "/bin", "VLLM_CPU_OMP_THREADS_BIND": "0"},
        num_threads=2,
    )
    assert {"SECRET_KEY", "DATABASE_URL", "PYTHONPATH"}.isdisjoint(seen)
    assert seen["PATH"] == "/bin"
    assert seen["VLLM_CPU_OMP_THREADS_BIND"] == "0"
    assert seen["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"


def test_the_trainers_own_sampler_says_no_log_probabilities() -> None:
    chat = tokeniser()
    own = InProcessSampler(policy=language_model(), config=CONFIG, stop_id=chat.stop_id, pad_id=chat.pad_id)
    assert own.sample([chat.prompt(ask("Say bee."))], seeds=[]).logps is None
