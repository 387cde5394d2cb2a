"""Rollouts sampled by vLLM in a process of its own, whose weights follow the trainer's.

After each change of the policy its weights are written to a folder and loaded by the running engine. The head is
always written and loaded as a matrix of its own: on a CPU vLLM repacks every matrix when it is loaded, and a head
that is tied to the embedding is not repacked again when the embedding is replaced; it would go on with its old values.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel

from training.algorithms.adapter_files import merged_weights
from training.algorithms.config import PPOConfig
from training.algorithms.failures import TrainingFailure
from training.algorithms.models import LanguageModel
from training.algorithms.samplers import Sampled, Tokens
from training.algorithms.vllm_process import SamplerFailed, VllmProcess

MAX_REQUESTS: Final = 256  # sampled at once
MAX_CACHE_BYTES: Final = {"cpu": 2**30, "cuda": 2**33}  # of keys and values
BLOCK_TOKENS: Final = 128  # of the cache, at most
HEAD: Final = "lm_head.weight"


@dataclass(kw_only=True)
class VllmSampler:
    """An engine that samples what the trainer's policy would. Started by `renew`."""

    python: Path  # of vLLM's environment
    folder: Path  # for weights; emptied at the end
    log: Path  # what the process prints
    policy: LanguageModel
    config: PPOConfig
    stop_id: int
    num_threads: int
    report: Callable[[str], None]  # takes a line for the run's log
    _process: VllmProcess | None = field(default=None, init=False)
    _is_stale: bool = field(default=False, init=False)

    def sample(self, prompts: Sequence[Tokens], *, seeds: Sequence[int]) -> Sampled:
        """One completion a prompt, each drawn with its own seed. A process that fails is started anew, once."""
        try:
            return self._sample(prompts, seeds)
        except SamplerFailed as failure:
            self.report(f"{failure} It is started once more.")
            self._restart()
            return self._sample(prompts, seeds)

    def policy_changed(self) -> None:
        """The next rollout wants the weights of that moment."""
        self._is_stale = True

    def renew(self) -> None:
        """A fresh process with the trainer's weights of this moment. Raises `SamplerFailed`."""
        if self._process is not None:
            self.report("vLLM sampled from another distribution than the trainer's: it is started anew.")
        self._restart()

    def _restart(self) -> None:
        self._end()
        self._started()

    def _started(self) -> VllmProcess:
        network, config = self.policy.network, self.config
        write_weights(self.policy, self.folder)
        settings = {
            "model": str(self.folder),
            "dtype": config.dtype,
            "max_tokens": config.max_prompt_tokens + config.max_completion_tokens,
            "max_requests": min(config.batch_size, MAX_REQUESTS),
            "cache_bytes": cache_bytes(network, config),
        }
        self._process = VllmProcess(self.python, settings, log=self.log, num_threads=self.num_threads)
        self._is_stale = False
        return self._process

    def close(self) -> None:
        """End the process and remove the weights."""
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        """The process that samples, while there is one."""
        return None if self._process is None else self._process.pid

    def _sample(self, prompts: Sequence[Tokens], seeds: Sequence[int]) -> Sampled:
        process = self._process or self._started()
        if self._is_stale:
            write_weights(self.policy, self.folder)
            process.ask("reload", folder=str(self.folder))
            self._is_stale = False
        answer = process.ask(
            "sample",
            prompts=[list(prompt) for prompt in prompts],
            seeds=list(seeds),
            temperature=self.config.temperature,
            max_new_tokens=self.config.max_completion_tokens,
            stop_id=self.stop_id,
        )
        completions = [tuple(completion) for completion in answer["completions"]]
        return Sampled(completions=completions, logps=answer["logps"])

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


def write_weights(model: LanguageModel, folder: Path) -> None:
    """The model as a folder that vLLM loads, with a head of its own. Replaces what the folder had."""
    folder.mkdir(exist_ok=True)
    network = model.network
    config = copy.deepcopy(network.config)
    config.tie_word_embeddings = False
    config.architectures = [type(network).__name__]
    config.save_pretrained(folder)
    save_file(untied_weights(model), folder / "model.safetensors", metadata={"format": "pt"})


def untied_weights(model: LanguageModel) -> dict[str, Tensor]:
    """Every weight under its name, an adapter merged into its base, the head as a copy where it is the embedding."""
    network = model.network
    own: dict[str, Tensor] = network.state_dict() if model.adapter is None else merged_weights(model.adapter)
    weights = {name: weight.detach() for name, weight in own.items()}
    head, embedding = (
        cast(Tensor, one.weight) for one in (network.get_output_embeddings(), network.get_input_embeddings())
    )
    if head is embedding:
        weights[HEAD] = head.detach().clone()
    return {name: weight.contiguous() for name, weight in weights.items()}


def cache_bytes(network: PreTrainedModel, config: PPOConfig) -> int:
    """Room for the keys and values of a whole rollout, or as much as is given at most."""
    shape: Any = network.config
    heads = getattr(shape, "num_key_value_heads", None) or shape.num_attention_heads
    width = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
    per_token = 2 * shape.num_hidden_layers * heads * width * network.dtype.itemsize
    length = -(-(config.max_prompt_tokens + config.max_completion_tokens) // BLOCK_TOKENS) * BLOCK_TOKENS
    wanted = per_token * length * (min(config.batch_size, MAX_REQUESTS) + 1)
    most = MAX_CACHE_BYTES[network.device.type]
    if per_token * length > most:
        raise TrainingFailure(
            "configuration",
            f"One completion of {length} tokens fills {per_token * length / 2**30:.1f} GiB of keys and values, and "
            f"vLLM is given {most / 2**30:.0f} GiB. Lower max_prompt_tokens or max_completion_tokens.",
        )
    return int(min(wanted, most))
