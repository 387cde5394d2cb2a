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
from training.algorithms.over_optimisation import MAX_WINDOW, MIN_WINDOW

DTYPES: Final = ("float32", "bfloat16")
PAIR_LOSS_NAMES: Final = ("sigmoid", "ipo", "hinge")  # the keys of losses.PAIR_LOSSES, known here without torch
TIE_MODEL_NAMES: Final = ("none", "rao_kupper", "davidson")  # the keys of reward_losses.OUTCOME_MODELS
RANKING_LOSS_NAMES: Final = ("pairs", "plackett_luce")
SHARDING_NAMES: Final = ("none", "fsdp2")
CHECKPOINTING_NAMES: Final = ("auto", "on", "off")
GUARD_NAMES: Final = ("off", "alert", "stop")
ROLLOUT_ENGINE_NAMES: Final = ("auto", "vllm", "in_process")
SAMPLER_GAPS: Final = {"float32": 2e-3, "bfloat16": 0.05}  # mean nats a token that engines of this precision may differ
ALL_LINEAR: Final = "all-linear"


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
class LoRAConfig:
    """Low-rank adapters: the initial model stays frozen, pairs of small matrices beside its layers are trained."""

    rank: int = 16  # columns of each pair of matrices
    alpha: int = 32  # what an adapter adds is scaled by alpha / rank
    dropout: float = 0.0  # of an adapter's input while it is trained; blurs ratios to a reference, and PPO refuses it
    target_modules: str = "all-linear"  # all linear layers below the head, or their last names: "q_proj, v_proj"

    def __post_init__(self) -> None:
        require(self.rank >= 1, f"lora.rank must be at least 1, got {self.rank}.")
        require(self.alpha >= 1, f"lora.alpha must be at least 1, got {self.alpha}.")
        require(0 <= self.dropout < 1, f"lora.dropout must lie in [0, 1), got {self.dropout}.")
        names = [name.strip() for name in self.target_modules.split(",")]
        require(
            all(names) and (ALL_LINEAR not in names or names == [ALL_LINEAR]),
            f"lora.target_modules must be {ALL_LINEAR} or names of layers with commas between them, "
            f"got {self.target_modules!r}.",
        )


@dataclass(frozen=True, kw_only=True)
class CommonConfig:
    """What every algorithm has."""

    learning_rate: float = 1e-4  # peak of AdamW's step
    warmup_steps: int = 20  # optimiser steps of linear rise from 0
    final_learning_rate: float = 0.1  # fraction of the peak at the last step, reached by linear decay
    weight_decay: float = 0.0  # AdamW's, on matrices only
    max_grad_norm: float = 1.0  # L2 norm at which the gradient is clipped
    batch_size: int = 32  # pairs, rankings, labelled replies, demonstrations (SFT) or prompts (PPO) per optimiser step
    num_epochs: int = 1  # passes over the training rows
    max_steps: int | None = None  # optimiser steps, if fewer than num_epochs gives
    max_seconds: float | None = None  # wall time after which the run ends normally with what it has
    groups_by_length: bool = True  # batches of like length: less padding, but less variety within a batch
    micro_batch_tokens: int = 16_384  # tokens of one forward pass; bounds memory, never changes the loss
    dtype: str = "float32"  # of the weights that compute: float32 or bfloat16; steps are taken in fp32 either way
    max_prompt_tokens: int = 256  # tokens; of a longer prompt the end is kept
    max_completion_tokens: int = 256  # tokens, stop token included; a longer reply loses its end and its stop token
    eval_every: int = 0  # steps between evaluations on held-out rows; 0 = only at the end
    eval_examples: int = 512  # held-out rows looked at in an evaluation, at most
    checkpoint_every: int = 0  # steps between checkpoints; 0 = only at the end
    keep_checkpoints: int = 2  # newest checkpoints that stay; published ones stay whatever their age
    best_by: str | None = "auto"  # held-out measurement whose best checkpoint stays too; auto = score, accuracy or loss
    log_every: int = 1  # steps between step events
    num_samples: int = 4  # texts of held-out prompts shown at each evaluation (policies only)
    num_devices: int = 1  # GPUs (or slots of the CPU) of one machine, a process each; never changes the loss
    sharding: str = "none"  # fsdp2: each device keeps its part of weights, gradients and optimiser; none: all of them
    lora: LoRAConfig | None = None  # train low-rank adapters of a frozen initial model; null = all of its weights

    activation_checkpointing: str = "auto"  # layers computed again for the gradient: on, off, auto = if memory is short
    torch_compile: bool = False  # compile the layers: a minute or more at the start

    def __post_init__(self) -> None:
        positive = ("learning_rate", "max_grad_norm", "batch_size", "num_epochs", "micro_batch_tokens",
                    "max_prompt_tokens", "max_completion_tokens", "log_every", "keep_checkpoints",
                    "num_devices")  # fmt: skip
        for name in positive:
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}.")
        for name in ("warmup_steps", "weight_decay", "eval_every", "eval_examples", "checkpoint_every", "num_samples"):
            require(getattr(self, name) >= 0, f"{name} may not be negative, got {getattr(self, name)}.")
        for name in ("max_steps", "max_seconds"):
            value = getattr(self, name)
            require(value is None or value > 0, f"{name} must be positive or null, got {value}.")
        require_fraction("final_learning_rate", self.final_learning_rate)
        is_measurement = self.best_by in (None, "auto") or str(self.best_by).startswith("held_out_")
        require(is_measurement, f"best_by must be auto, null or a name like held_out_loss, got {self.best_by!r}.")
        require_one_of("sharding", self.sharding, SHARDING_NAMES)
        require_one_of("activation_checkpointing", self.activation_checkpointing, CHECKPOINTING_NAMES)
        require(
            self.sharding == "none" or self.num_devices > 1,
            "sharding needs num_devices above 1: there is nobody to share with.",
        )
        require(
            self.sharding == "none" or self.lora is None,
            "sharding is for runs that train all weights: with lora leave it out; num_devices may stay.",
        )
        require(self.dtype in DTYPES, f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}.")


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


def require_one_of(name: str, value: str, names: tuple[str, ...]) -> None:
    """Raise unless `value` is one of `names`."""
    require(value in names, f"{name} must be one of {', '.join(names)}, got {value!r}.")


def require_noise(label_smoothing: float, *, soft_labels: bool = False) -> None:
    """Raise unless 0 <= label_smoothing < ½, and unless it is 0 where labels are soft."""
    require(0 <= label_smoothing < 0.5, f"label_smoothing must lie in [0, 0.5), got {label_smoothing}.")
    require(
        not (soft_labels and label_smoothing),
        "soft_labels and label_smoothing both say how sure a label is: leave one of them out.",
    )


@dataclass(frozen=True, kw_only=True)
class RewardConfig(CommonConfig):
    """A reward model on pairs or on rankings: a scalar head on the last real token."""

    label_smoothing: float = 0.0  # probability that a judgment has its sides swapped
    soft_labels: bool = False  # pairs: the target is the dataset's p_chosen instead of 1
    margin: float = 0.0  # pairs: score that the winner shall lead by, for each step of a judgment's strength
    centring: float = 0.0  # weight of (r_chosen + r_rejected)², which keeps scores near 0
    ties: str = "none"  # model of ties, a name of TIE_MODEL_NAMES; with none, ties teach nothing
    tie_rate: float = 0.25  # probability that two completions of equal score tie, if ties are modelled
    ranking_loss: str = "pairs"  # rankings: mean over their pairs, or plackett_luce
    ensemble_size: int = 1  # heads on one backbone; the reward is their mean, their variance how far they disagree
    bootstrap: bool = True  # ensembles: each head learns from a sample of the prompts of its own

    def __post_init__(self) -> None:
        super().__post_init__()
        require_noise(self.label_smoothing, soft_labels=self.soft_labels)
        for name in ("centring", "margin"):
            require(getattr(self, name) >= 0, f"{name} may not be negative, got {getattr(self, name)}.")
        require_one_of("ties", self.ties, TIE_MODEL_NAMES)
        require(0 < self.tie_rate < 1, f"tie_rate must lie between 0 and 1, got {self.tie_rate}.")
        require_one_of("ranking_loss", self.ranking_loss, RANKING_LOSS_NAMES)
        require(1 <= self.ensemble_size <= 64, f"ensemble_size must lie between 1 and 64, got {self.ensemble_size}.")
        if self.ranking_loss == "plackett_luce":
            for name, default in {"label_smoothing": 0, "soft_labels": 0, "margin": 0, "ties": "none"}.items():
                advice = "Leave it out, or set ranking_loss to pairs."
                require(getattr(self, name) == default, f"{name} has no meaning for plackett_luce. {advice}")


@dataclass(frozen=True, kw_only=True)
class DPOConfig(CommonConfig):
    """Direct preference optimisation against the frozen initial model."""

    learning_rate: float = 5e-5  # peak of AdamW's step
    loss: str = "sigmoid"  # a name of PAIR_LOSS_NAMES
    beta: float = 0.1  # inverse temperature of the implicit reward, per nat of log-ratio
    label_smoothing: float = (
        0.0  # probability that a judgment has its sides swapped; conservative DPO hedges against it
    )
    robust: bool = False  # see through the noise that label_smoothing names, without bias, instead of hedging
    soft_labels: bool = False  # the target is the dataset's p_chosen instead of 1
    length_normalised: bool | None = None  # log-ratios per token, not per completion; null = for ipo alone

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta > 0, f"beta must be positive, got {self.beta}.")
        require_noise(self.label_smoothing, soft_labels=self.soft_labels)
        require_one_of("loss", self.loss, PAIR_LOSS_NAMES)
        require(
            not self.robust or self.label_smoothing > 0,
            "robust needs label_smoothing above 0: the share of swapped labels that it sees through.",
        )

    @property
    def is_per_token(self) -> bool:
        """Whether log-ratios are averaged over a completion's tokens; IPO's usually are, the others' summed."""
        return self.loss == "ipo" if self.length_normalised is None else self.length_normalised


@dataclass(frozen=True, kw_only=True)
class KTOConfig(CommonConfig):
    """Kahneman–Tversky optimisation: single replies labelled desirable or not, against the frozen initial model."""

    learning_rate: float = 5e-5  # peak of AdamW's step
    beta: float = 0.1  # inverse temperature of the implicit reward, per nat of log-ratio
    desirable_weight: float = 1.0  # of the losses of desirable replies
    undesirable_weight: float = 1.0  # of the losses of undesirable ones

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta > 0, f"beta must be positive, got {self.beta}.")
        for name in ("desirable_weight", "undesirable_weight"):
            require(getattr(self, name) >= 0, f"{name} may not be negative, got {getattr(self, name)}.")
        require(
            self.desirable_weight + self.undesirable_weight > 0,
            "desirable_weight and undesirable_weight are both 0: nothing would be learnt.",
        )


@dataclass(frozen=True, kw_only=True)
class ORPOConfig(CommonConfig):
    """Odds-ratio preference optimisation: the likelihood of the chosen reply and an odds ratio; no reference."""

    learning_rate: float = 5e-5  # peak of AdamW's step
    odds_weight: float = 0.1  # lambda of the odds-ratio term, against a likelihood per token of weight 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.odds_weight > 0, f"odds_weight must be positive, got {self.odds_weight}; for 0 there is sft.")


@dataclass(frozen=True, kw_only=True)
class SimPOConfig(CommonConfig):
    """Simple preference optimisation: mean log-probabilities and a target margin; no reference."""

    learning_rate: float = 5e-5  # peak of AdamW's step
    beta: float = 2.0  # reward per nat of mean log-probability
    target_margin: float = 1.0  # gamma: reward by which the chosen reply shall lead
    label_smoothing: float = 0.0  # probability that a judgment has its sides swapped
    soft_labels: bool = False  # the target is the dataset's p_chosen instead of 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta > 0, f"beta must be positive, got {self.beta}.")
        require(self.target_margin >= 0, f"target_margin may not be negative, got {self.target_margin}.")
        require_noise(self.label_smoothing, soft_labels=self.soft_labels)


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
    rollout_engine: str = "auto"  # what samples: vllm, in_process (the trainer), or auto, which takes vLLM if it pays
    max_sampler_gap: float | None = None  # mean nats a token between vLLM and trainer; null = 0.002, bfloat16 0.05
    importance_cap: float = 2.0  # most that a token of a rollout sampled by another engine weighs
    variance_penalty: float = 0.0  # reward ensembles: lambda in mean - lambda · variance of the members' scores
    worst_case: bool = False  # reward ensembles: the score is the lowest member's instead of their mean
    num_judges: int = 0  # reward ensembles: members, the last ones, that only watch, as a held-out judge
    guards: str = "alert"  # what signs of a run gone wrong lead to: off, alert (a line in the log) or stop
    over_optimisation: str = "alert"  # what a score that the held-out judge does not follow leads to: as for guards
    over_optimisation_window: int = 6  # evaluations, 4 to 12, whose trends of score and judge are compared

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.num_devices == 1, f"PPO runs in one process: num_devices must be 1, got {self.num_devices}.")
        for name in ("critic_learning_rate", "num_minibatches", "num_ppo_epochs", "temperature", "kl_horizon", "max_kl",
                     "ratio_clip", "value_clip", "score_clip", "max_update_kl", "importance_cap"):  # fmt: skip
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}.")
        for name in ("beta", "num_critic_warmup", "missing_stop_penalty", "variance_penalty", "num_judges"):
            require(getattr(self, name) >= 0, f"{name} may not be negative, got {getattr(self, name)}.")
        require_fraction("gamma", self.gamma)
        require_fraction("gae_lambda", self.gae_lambda)
        require(self.kl_target is None or self.kl_target > 0, f"kl_target must be positive, got {self.kl_target}.")
        require(
            self.kl_target is None or self.beta > 0,
            "kl_target adapts beta by factors, and beta is 0: set beta above 0, or leave kl_target out.",
        )
        for name in ("guards", "over_optimisation"):
            require_one_of(name, getattr(self, name), GUARD_NAMES)
        window = self.over_optimisation_window
        require(
            MIN_WINDOW <= window <= MAX_WINDOW,
            f"over_optimisation_window must lie between {MIN_WINDOW} and {MAX_WINDOW}, got {window}.",
        )
        require_one_of("rollout_engine", self.rollout_engine, ROLLOUT_ENGINE_NAMES)
        gap = self.max_sampler_gap
        require(gap is None or gap > 0, f"max_sampler_gap must be positive or null, got {gap}.")
        require(
            not (self.worst_case and self.variance_penalty),
            "worst_case takes the lowest member's score and variance_penalty their mean: leave one of them out.",
        )
        require(
            self.lora is None or self.lora.dropout == 0,
            "lora.dropout must be 0 for ppo: its ratios compare one policy with itself.",
        )
        require(
            self.num_minibatches <= self.batch_size,
            f"num_minibatches ({self.num_minibatches}) may not exceed batch_size ({self.batch_size}).",
        )


def allowed_gap(config: PPOConfig) -> float:
    """How far the log-probabilities of another engine may lie from the trainer's, mean nats a token."""
    return SAMPLER_GAPS[config.dtype] if config.max_sampler_gap is None else config.max_sampler_gap


Fields = TypeVar("Fields")
Config = SFTConfig | RewardConfig | DPOConfig | KTOConfig | ORPOConfig | SimPOConfig | PPOConfig
CONFIGS: Final[dict[str, type[Config]]] = {
    "sft": SFTConfig,
    "reward": RewardConfig,
    "dpo": DPOConfig,
    "kto": KTOConfig,
    "orpo": ORPOConfig,
    "simpo": SimPOConfig,
    "ppo": PPOConfig,
}


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
    if dataclasses.is_dataclass(hint) and not isinstance(value, typing.cast(type, hint)):
        raise InvalidConfiguration(f"{name} must be an object of its settings, got {value!r}.")
    if not isinstance(value, hint) or isinstance(value, bool) != (hint is bool):
        raise InvalidConfiguration(f"{name} must be {hint.__name__}, got {value!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidConfiguration(f"{name} must be finite, got {value!r}.")
    return value
