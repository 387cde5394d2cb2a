"""What a run will need before it starts: memory, disk, arithmetic, time. Pure, and without torch.

The formulas and what they assume are explained in docs/explanation/estimates.md. P is the number of a model's weights,
b the bytes of one (4 in float32, 2 in bfloat16), T tokens.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Final

from training.algorithms.config import CommonConfig, Config, PPOConfig
from training.algorithms.model_shape import ModelShape

BYTES: Final = {"float32": 4, "bfloat16": 2}
PROCESS_BYTES: Final = 410 * 2**20  # the interpreter with torch and transformers imported, measured
KEPT_LOGITS: Final = 2**26  # as logps.MAX_KEPT_LOGITS
CHUNK_LOGITS: Final = 2**22  # as logps.CHUNK_LOGITS
LAYER_WIDTHS: Final = 14  # times hidden_size: what a layer keeps of a token for its gradient, beside the feed-forward
FEED_FORWARD_WIDTHS: Final = 4  # times intermediate_size
NORM_WIDTHS: Final = 4  # of LAYER_WIDTHS: inputs of norms and what they become, in fp32 whatever the dtype
KEPT_CHECKPOINTS: Final = 2  # as session.NUM_KEPT_CHECKPOINTS; a third is written beside them
REFERENCED: Final = ("dpo", "kto")  # algorithms that score all rows with the initial model once
CHARACTERS_PER_TOKEN: Final = 3.5  # of English under a vocabulary of some ten thousand; where nothing was counted


@dataclass(frozen=True, kw_only=True)
class DataShape:
    """What a run reads."""

    num_train: int  # rows
    num_held_out: int  # rows
    row_tokens: float  # of a row within the limits: the prompt once, and every completion
    long_row: float  # tokens of a row of the longest batch, where batches are of like length
    completion_tokens: float  # of these, in completions
    longest_row: int  # tokens
    is_counted: bool  # by the model's tokenizer; otherwise from characters
    num_bytes: int = 0  # of data.parquet


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run comes to. Nothing of what depends on an unknown model is given."""

    num_steps: int
    num_tokens: float  # computed in all, forward passes of evaluations and references included
    num_parameters: int | None = None
    memory: dict[str, float] | None = None  # bytes by what they hold
    least_memory: float | None = None  # bytes that no setting but a smaller model or dtype avoids
    disk: dict[str, float] | None = None  # bytes by what they hold
    flops: float | None = None  # floating-point operations in all
    seconds: float | None = None  # flops at the speed that was assumed or measured
    speed: float | None = None  # floating-point operations a second
    is_counted: bool = True

    @property
    def memory_bytes(self) -> float | None:
        return sum(self.memory.values()) if self.memory else None

    @property
    def disk_bytes(self) -> float | None:
        return sum(self.disk.values()) if self.disk else None

    def as_json(self) -> dict[str, Any]:
        """Everything, totals included."""
        return {**asdict(self), "memory_bytes": self.memory_bytes, "disk_bytes": self.disk_bytes}


def estimated(
    algorithm: str, config: Config, data: DataShape, model: ModelShape | None, speed: float | None = None
) -> Estimate:
    """The estimate of a run; `speed` in floating-point operations a second, None where it is not known."""
    num_steps = steps(config, data.num_train)
    num_tokens, passes = work(algorithm, config, data, num_steps)
    if model is None:
        return Estimate(num_steps=num_steps, num_tokens=num_tokens, is_counted=data.is_counted)
    flops = 2.0 * passes * weights_of_a_token(algorithm, data, model)
    memory = memory_parts(algorithm, config, data, model)
    return Estimate(
        num_steps=num_steps,
        num_tokens=num_tokens,
        num_parameters=model.num_parameters,
        memory=memory,
        least_memory=PROCESS_BYTES + memory["weights"] + memory["optimiser and gradients"],
        disk=disk_parts(algorithm, config, data, model),
        flops=flops,
        seconds=flops / speed if speed else None,
        speed=speed,
        is_counted=data.is_counted,
    )


def weights_of_a_token(algorithm: str, data: DataShape, model: ModelShape) -> float:
    """Weights that a token is multiplied with in a forward pass; the head sees completion tokens alone."""
    share = data.completion_tokens / max(data.row_tokens, 1.0)
    return model.backbone_parameters + (0.0 if algorithm == "reward" else share * model.head_parameters)


def steps(config: CommonConfig, num_train: int) -> int:
    """Optimiser steps, rollouts in PPO, as `loop.planned_steps` counts them; earlier ends are not foreseen."""
    planned = config.num_epochs * ceil(num_train / config.batch_size)
    return planned if config.max_steps is None else min(planned, config.max_steps)


def work(algorithm: str, config: Config, data: DataShape, num_steps: int) -> tuple[float, float]:
    """(tokens computed, tokens times forward passes), where a backward pass counts as two forward ones."""
    trained = min(num_steps * config.batch_size, config.num_epochs * data.num_train) * data.row_tokens
    measured = min(data.num_held_out, config.eval_examples) * data.row_tokens * num_evaluations(config, num_steps)
    if isinstance(config, PPOConfig):
        # Sampling, and policy, reference, reward model and critic once each; then both networks in every epoch.
        return trained + measured, trained * (5 + 6 * config.num_ppo_epochs) + 5 * measured
    referenced = (data.num_train + data.num_held_out) * data.row_tokens if algorithm in REFERENCED else 0.0
    extra = trained if algorithm == "kto" else 0.0  # its baseline: the replies of other prompts
    return trained + measured + referenced + extra, 3 * trained + measured + referenced + extra


def num_evaluations(config: CommonConfig, num_steps: int) -> int:
    """Before the first step and every so often, if asked for; always at the end."""
    return 1 + (1 + (num_steps - 1) // config.eval_every if config.eval_every and num_steps else 0)


def memory_parts(algorithm: str, config: Config, data: DataShape, model: ModelShape) -> dict[str, float]:
    """Bytes by what they hold at the peak of a step."""
    size, weights = BYTES[config.dtype], float(model.num_parameters)
    masters = 0 if config.dtype == "float32" else 4  # AdamW's fp32 copies
    num_trained, num_loaded = (2, 4) if algorithm == "ppo" else (1, 1)
    layer = layer_bytes(model, size)
    tokens = micro_batch_tokens(config, data)
    return {
        "process": float(PROCESS_BYTES),
        "weights": num_loaded * weights * size,
        "optimiser and gradients": num_trained * weights * (4 + 8 + masters),
        "activations": float(max(tokens * model.num_layers, unlearnt_tokens(algorithm, config, data)) * layer),
        "logits": logit_bytes(algorithm, tokens * data.completion_tokens / max(data.row_tokens, 1.0), model, size),
    }


def layer_bytes(model: ModelShape, size: int) -> float:
    """What one layer keeps of one token for its gradient; norms compute in fp32."""
    widths = (LAYER_WIDTHS - NORM_WIDTHS) * model.hidden_size + FEED_FORWARD_WIDTHS * model.intermediate_size
    return float(widths * size + NORM_WIDTHS * model.hidden_size * 4)


def micro_batch_tokens(config: CommonConfig, data: DataShape) -> int:
    """Tokens of the largest pass that is learnt from: the budget, unless a batch is smaller or a single row larger."""
    row = data.long_row if config.groups_by_length else data.row_tokens
    batch = ceil(min(config.batch_size, data.num_train) * row)
    return max(data.longest_row, min(config.micro_batch_tokens, batch))


def unlearnt_tokens(algorithm: str, config: CommonConfig, data: DataShape) -> int:
    """Tokens of the largest pass without gradient, of which one layer at a time is in memory: evaluation, reference."""
    rows = min(data.num_held_out, config.eval_examples)
    if algorithm in REFERENCED:
        rows = data.num_train + data.num_held_out
    return max(data.longest_row, min(config.micro_batch_tokens, ceil(rows * data.row_tokens)))


def logit_bytes(algorithm: str, num_tokens: float, model: ModelShape, size: int) -> float:
    """The head's tables: two chunks in fp32, and what is kept for the gradient if it is little; none for scores."""
    if algorithm == "reward":
        return 0.0
    logits = num_tokens * model.vocab_size
    return 2 * 4.0 * min(logits, CHUNK_LOGITS) + (logits * size if logits <= KEPT_LOGITS else 0.0)


def disk_parts(algorithm: str, config: CommonConfig, data: DataShape, model: ModelShape) -> dict[str, float]:
    """Bytes by what they hold: those that stay, and a checkpoint that is written beside those that it replaces."""
    size, weights = BYTES[config.dtype], float(model.num_parameters)
    masters = 0 if config.dtype == "float32" else 4
    num_trained = 2 if algorithm == "ppo" else 1
    resumable = num_trained * weights * (size + 8 + masters)
    num_resumable = KEPT_CHECKPOINTS if config.checkpoint_every else 0
    rows = data.num_train + data.num_held_out
    return {
        "final checkpoint": weights * size,
        "checkpoints to resume from": num_resumable * resumable,
        "data": float(data.num_bytes),
        "reference cache": 8.0 * rows if algorithm in REFERENCED else 0.0,
    }
