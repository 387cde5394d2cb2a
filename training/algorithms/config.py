"""What an algorithm can be told: one frozen dataclass each, with a unit per field, validated once. No torch here.

Presets are functions in `presets.py`; a run's `spec.json` holds the fields of one of these classes.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from training.algorithms.failures import TrainingFailure

PAIR_LOSS_NAMES: Final = ("sigmoid", "ipo", "hinge")  # the keys of losses.PAIR_LOSSES, known here without torch


class InvalidConfiguration(TrainingFailure):
    """A field is unknown, of the wrong type, out of range, or contradicts another."""

    def __init__(self, error: str) -> None:
        super().__init__("configuration", error)


def require(is_right: bool, message: str) -> None:
    """Raise `InvalidConfiguration` with `message` unless `is_right`."""
    if not is_right:
        raise InvalidConfiguration(message)


@dataclass(frozen=True, kw_only=True)
class FreshModelConfig:
    """A Llama that starts from random weights, with a byte-level BPE trained on the run's own texts."""

    vocab_size: int = 1024  # tokens, special ones included; the tokenizer may need fewer
    hidden_size: int = 192  # channels
    intermediate_size: int = 512  # channels of the gated feed-forward layer
    num_layers: int = 4  # transformer blocks
    num_heads: int = 3  # attention heads, each hidden_size / num_heads wide
    context_tokens: int = 512  # longest prompt + completion that the positions cover
    initial_deviation: float = 0.05  # standard deviation of the random weights; small models want more than 0.02

    def __post_init__(self) -> None:
        for name in ("hidden_size", "intermediate_size", "num_layers", "num_heads", "context_tokens"):
            require(getattr(self, name) >= 1, f"fresh.{name} must be at least 1, got {getattr(self, name)}.")
        require(self.initial_deviation > 0, f"fresh.initial_deviation must be positive, got {self.initial_deviation}.")
        require(self.vocab_size >= 270, f"fresh.vocab_size must be at least 270, got {self.vocab_size}.")
        head_size = self.hidden_size / self.num_heads
        require(
            head_size % 2 == 0,
            f"fresh.hidden_size ({self.hidden_size}) must be an even multiple of fresh.num_heads ({self.num_heads}).",
        )


@dataclass(frozen=True, kw_only=True)
class CommonConfig:
    """What every algorithm has."""

    learning_rate: float = 1e-4  # peak of AdamW's step
    warmup_steps: int = 20  # optimiser steps of linear rise from 0
    final_learning_rate: float = 0.1  # fraction of the peak at the last step, reached by linear decay
    weight_decay: float = 0.0  # AdamW's, on matrices only
    max_grad_norm: float = 1.0  # L2 norm at which the gradient is clipped
    batch_size: int = 32  # examples (SFT), pairs (reward, DPO) or prompts (PPO) per optimiser step
    num_epochs: int = 1  # passes over the training rows
    max_steps: int | None = None  # optimiser steps, if fewer than num_epochs gives
    max_seconds: float | None = None  # wall time after which the run ends normally with what it has
    groups_by_length: bool = True  # batches of like length: less padding, but less variety within a batch
    micro_batch_tokens: int = 16_384  # tokens of one forward pass; bounds memory, never changes the loss
    max_prompt_tokens: int = 256  # tokens; of a longer prompt the end is kept
    max_completion_tokens: int = 256  # tokens, stop token included; a longer reply loses its end and its stop token
    eval_every: int = 0  # steps between evaluations on held-out rows; 0 = only at the end
    eval_examples: int = 512  # held-out rows looked at in an evaluation, at most
    checkpoint_every: int = 0  # steps between checkpoints; 0 = only at the end
    log_every: int = 1  # steps between step events
    num_samples: int = 4  # texts of held-out prompts shown at each evaluation (policies only)

    def __post_init__(self) -> None:
        positive = ("learning_rate", "max_grad_norm", "batch_size", "num_epochs", "micro_batch_tokens",
                    "max_prompt_tokens", "max_completion_tokens", "log_every")  # fmt: skip
        for name in positive:
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}.")
        for name in ("warmup_steps", "weight_decay", "eval_every", "eval_examples", "checkpoint_every", "num_samples"):
            require(getattr(self, name) >= 0, f"{name} may not be negative, got {getattr(self, name)}.")
        for name in ("max_steps", "max_seconds"):
            value = getattr(self, name)
            require(value is None or value > 0, f"{name} must be positive or null, got {value}.")
        require_fraction("final_learning_rate", self.final_learning_rate)


def require_fraction(name: str, value: float) -> None:
    """Raise unless 0 <= value <= 1."""
    require(0 <= value <= 1, f"{name} must lie between 0 and 1, got {value}.")


@dataclass(frozen=True, kw_only=True)
class SFTConfig(CommonConfig):
    """Supervised fine-tuning on demonstrations; the loss counts completion tokens only."""

    learning_rate: float = 1e-3  # peak of AdamW's step
    weight_decay: float = 0.01  # AdamW's, on matrices only
    fresh: FreshModelConfig = field(default_factory=FreshModelConfig)  # used when the run has no initial model
    stop_at_exact: float | None = None  # ends once this fraction of held-out replies is reproduced greedily

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stop_at_exact is not None:
            require_fraction("stop_at_exact", self.stop_at_exact)
            require(self.eval_every > 0, "stop_at_exact needs eval_every above 0: it is checked at evaluations.")


@dataclass(frozen=True, kw_only=True)
class RewardConfig(CommonConfig):
    """Bradley–Terry reward model: a scalar head on the last real token."""

    label_smoothing: float = 0.0  # probability that a judgment has its sides swapped
    centring: float = 0.0  # weight of (r_chosen + r_rejected)², which keeps scores near 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.label_smoothing < 0.5, f"label_smoothing must lie in [0, 0.5), got {self.label_smoothing}.")
        require(self.centring >= 0, f"centring may not be negative, got {self.centring}.")


@dataclass(frozen=True, kw_only=True)
class DPOConfig(CommonConfig):
    """Direct preference optimisation against the frozen initial model."""

    learning_rate: float = 5e-5  # peak of AdamW's step
    loss: str = "sigmoid"  # a name of PAIR_LOSS_NAMES
    beta: float = 0.1  # inverse temperature of the implicit reward, per nat of log-ratio
    label_smoothing: float = 0.0  # conservative DPO: probability that a judgment has its sides swapped

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta > 0, f"beta must be positive, got {self.beta}.")
        require(0 <= self.label_smoothing < 0.5, f"label_smoothing must lie in [0, 0.5), got {self.label_smoothing}.")
        names = ", ".join(PAIR_LOSS_NAMES)
        require(self.loss in PAIR_LOSS_NAMES, f"loss must be one of {names}, got {self.loss!r}.")


@dataclass(frozen=True, kw_only=True)
class PPOConfig(CommonConfig):
    """Proximal policy optimisation against a reward model, with a KL penalty to the frozen initial model."""

    learning_rate: float = 5e-5  # peak of AdamW's step for the policy
    critic_learning_rate: float = 1e-4  # peak of AdamW's step for the critic
    batch_size: int = 128  # prompts of one rollout
    num_minibatches: int = 4  # optimiser steps of one pass over a rollout
    num_ppo_epochs: int = 1  # passes over a rollout
    num_critic_warmup: int = 2  # first rollouts that train only the critic
    max_completion_tokens: int = 64  # tokens sampled at most, stop token included
    temperature: float = 1.0  # of the sampler, and applied to the trainer's logits alike
    beta: float = 0.05  # KL penalty per token, reward per nat
    kl_target: float | None = None  # nats per completion; set = beta adapts towards it
    kl_horizon: int = 2_000  # completions over which an adaptive beta corrects itself
    max_kl: float = 50.0  # nats per completion; above it an update is left early
    gamma: float = 1.0  # discount per token
    gae_lambda: float = 0.95  # of generalised advantage estimation
    ratio_clip: float = 0.2  # policy ratio stays within 1 ± this
    value_clip: float = 0.2  # value moves at most this far from the rollout's, in reward units
    score_clip: float = 10.0  # normalised scores are cut at ± this
    missing_stop_penalty: float = 1.0  # taken from the normalised score of a reply cut off by its length
    max_update_kl: float = 0.05  # nats per token between rollout and update; ×1.5 ends the update early

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("critic_learning_rate", "num_minibatches", "num_ppo_epochs", "temperature", "kl_horizon",
                     "max_kl", "ratio_clip", "value_clip", "score_clip", "max_update_kl"):  # fmt: skip
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}.")
        for name in ("beta", "num_critic_warmup", "missing_stop_penalty"):
            require(getattr(self, name) >= 0, f"{name} may not be negative, got {getattr(self, name)}.")
        require_fraction("gamma", self.gamma)
        require_fraction("gae_lambda", self.gae_lambda)
        require(self.kl_target is None or self.kl_target > 0, f"kl_target must be positive, got {self.kl_target}.")
        require(
            self.num_minibatches <= self.batch_size,
            f"num_minibatches ({self.num_minibatches}) may not exceed batch_size ({self.batch_size}).",
        )


Fields = TypeVar("Fields")
Config = SFTConfig | RewardConfig | DPOConfig | PPOConfig
CONFIGS: Final[dict[str, type[Config]]] = {"sft": SFTConfig, "reward": RewardConfig, "dpo": DPOConfig, "ppo": PPOConfig}


def parse_config(algorithm: str, fields: Mapping[str, Any]) -> Config:
    """The configuration of `algorithm` from a JSON object.

    Raises `InvalidConfiguration` that names the key, and for an unknown key the closest valid one.
    """
    if algorithm not in CONFIGS:
        raise InvalidConfiguration(f"algorithm must be one of {', '.join(CONFIGS)}, got {algorithm!r}.")
    return parse_dataclass(CONFIGS[algorithm], fields, prefix="")


def config_fields(config: Config) -> dict[str, Any]:
    """The JSON object that `parse_config` reads back into an equal configuration."""
    return dataclasses.asdict(config)


def parse_dataclass(cls: type[Fields], fields: Mapping[str, Any], *, prefix: str) -> Fields:
    """`cls(**fields)` with every key known and every value of its field's type."""
    hints = typing.get_type_hints(cls)
    for key in fields:
        if key not in hints:
            closest = difflib.get_close_matches(key, hints, n=1, cutoff=0.0)[0]
            raise InvalidConfiguration(f"Unknown setting {prefix}{key}; did you mean {prefix}{closest}?")
    return cls(**{key: parse_value(hints[key], value, name=prefix + key) for key, value in fields.items()})


def parse_value(hint: Any, value: Any, *, name: str) -> Any:
    """`value` as the type that `hint` asks for: a number, a text, null or a nested configuration."""
    if isinstance(hint, types.UnionType):
        if value is None:
            return None
        (hint,) = (option for option in typing.get_args(hint) if option is not types.NoneType)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return parse_dataclass(typing.cast(type[FreshModelConfig], hint), value, prefix=name + ".")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or isinstance(value, bool) != (hint is bool):
        raise InvalidConfiguration(f"{name} must be {hint.__name__}, got {value!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidConfiguration(f"{name} must be finite, got {value!r}.")
    return value
