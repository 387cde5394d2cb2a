"""Samples token ids for a training process that started it: a script of vLLM's own environment, which alone has vLLM.

Started as `python -I vllm_worker.py PARENT_PID`. Orders come on standard input and answers leave on what was standard
output, one JSON object a line; whatever libraries print goes to standard error. The first order is what `open_engine`
takes. It ends when standard input does, and the kernel kills it with its parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

Message = dict[str, Any]

PR_SET_PDEATHSIG: Final = 1  # of <linux/prctl.h>
MAX_BATCHED_TOKENS: Final = 8192  # of prompts that are read at once


class Worker:
    """What can be asked of an engine. On a GPU it sleeps between two rollouts: the trainer wants the memory."""

    def __init__(self, engine: Any, sampling_parameters: Callable[..., Any], *, sleeps: bool) -> None:
        self._engine = engine
        self._sampling_parameters = sampling_parameters
        self._sleeps = sleeps
        self._is_asleep = False

    def answer(self, order: Message) -> Message:
        """Do what the order says."""
        orders: dict[str, Callable[..., Message]] = {"sample": self.sample, "reload": self.reload}
        return orders[order.pop("order")](**order)

    def reload(self, folder: str) -> Message:
        """Other weights, of the shapes that it has. What was cached with the old ones is forgotten."""
        if self._is_asleep:
            self._engine.wake_up(["weights"])
        self._engine.collective_rpc("reload_weights", kwargs={"weights_path": folder})
        if self._is_asleep:
            self._engine.wake_up(["kv_cache"])
            self._is_asleep = False
        if not self._engine.reset_prefix_cache():
            raise RuntimeError("The prefix cache could not be reset: some request is still running.")
        return {}

    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        temperature: float,
        max_new_tokens: int,
        stop_id: int,
    ) -> Message:
        """One completion a prompt, up to and including the stop token, and the log-probability of each of its tokens
        under the distribution that was drawn from, nats."""
        if self._is_asleep:
            self._engine.wake_up()
            self._is_asleep = False
        outputs = self._engine.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            [
                self._sampling_parameters(
                    temperature=temperature,
                    top_p=1.0,
                    top_k=-1,
                    seed=seed,
                    max_tokens=max_new_tokens,
                    stop_token_ids=[stop_id],
                    ignore_eos=True,  # the trainer's stop token alone ends a completion
                    logprobs=0,  # of the token that was drawn
                    detokenize=False,
                )
                for seed in seeds
            ],
            use_tqdm=False,
        )
        if self._sleeps:
            self._engine.sleep(level=1)  # level 2 would also lose buffers that no file of weights holds
            self._is_asleep = True
        said = [output.outputs[0] for output in outputs]
        return {
            "completions": [list(one.token_ids) for one in said],
            "logps": [
                [float(step[token].logprob) for token, step in zip(one.token_ids, one.logprobs, strict=True)]
                for one in said
            ],
        }


def open_engine(*, model: str, dtype: str, max_tokens: int, max_requests: int, cache_bytes: int) -> Worker:
    """An engine inside this process for the folder `model`: at most `max_requests` at once, each of `max_tokens`."""
    from vllm import LLM, SamplingParams
    from vllm.platforms import current_platform

    is_cpu = bool(current_platform.is_cpu())
    engine = LLM(
        model=model,
        skip_tokenizer_init=True,
        dtype=dtype,
        seed=0,
        max_model_len=max_tokens,
        max_num_seqs=max_requests,
        max_num_batched_tokens=max(MAX_BATCHED_TOKENS, max_tokens),
        kv_cache_memory_bytes=cache_bytes,
        generation_config="vllm",  # the model's own settings would change the distribution that is sampled
        logprobs_mode="processed_logprobs",  # at the temperature that is sampled with
        enforce_eager=is_cpu,  # half the time to start; compiled graphs gain little on a CPU
        # Reading the prompt of a seeded request in two parts ends the engine: generators on a CPU cannot rewind.
        enable_chunked_prefill=not is_cpu,
        enable_sleep_mode=not is_cpu,
        disable_log_stats=True,
        use_tqdm_on_load=False,
    )
    return Worker(engine, SamplingParams, sleeps=not is_cpu)


def die_with(parent_pid: int) -> None:
    """Ask Linux to kill this process when its parent ends. One that is gone already ends it here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(1)


def main(parent_pid: int) -> None:
    """Answer orders until there are no more. An error is answered, and ends the process."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the training process finishes its step first, and then ends this one
    die_with(parent_pid)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker: Worker | None = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if worker is None:
                worker, answer = open_engine(**order), {}
            else:
                answer = worker.answer(order)
        except Exception as error:
            answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
            answers.flush()
            raise
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(0)  # nothing is left to be written: the libraries' own farewell takes seconds
