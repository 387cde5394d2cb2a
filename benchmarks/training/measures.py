"""What is measured, one function a measure: it returns metrics, or raises `Skipped` with the reason."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from annotation.pair_lines import PreferencePair
from benchmarks.training.bench import (
    TRL,
    Bench,
    Metrics,
    Side,
    Skipped,
    difference,
    metric,
    seconds_of,
    speed,
    take_turns,
)
from benchmarks.training.dialogues import Ranking
from benchmarks.training.orders import demonstration_rows, expanded, labelled_rows, pair_rows, prompt_rows, ranking_rows
from benchmarks.training.workers import our_vllm
from training.algorithms import config as our_config

TRL_PPO_BEST: Final = "TRL 1.12, best"
VLLM: Final = "ours with vLLM"
ALL_WEIGHTS: Final = "ours, all weights"
ONCE: Final[dict[str, Any]] = {"num_train_epochs": 1}
BEST: Final[dict[str, Any]] = {**ONCE, "gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"}
BEST_REFERENCE: Final[dict[str, Any]] = {**BEST, "precompute_ref_log_probs": True}
# The same arithmetic on both sides: one batch a step, a constant rate, the same AdamW.
EQUAL: Final[dict[str, Any]] = {
    "lr_scheduler_type": "constant",
    "adam_beta2": 0.99,
    "logging_steps": 1,
    "gradient_checkpointing": False,
}
OURS: Final[dict[str, Any]] = {"learning_rate": 1e-5}
OUR_EQUAL: Final[dict[str, Any]] = {"warmup_steps": 0, "final_learning_rate": 1.0, "weight_decay": 0.0}
EQUAL_STEPS = 4
SFT_LOSS: Final[dict[str, Any]] = {"completion_only_loss": True}


def dpo(bench: Bench) -> Metrics:
    """DPO on pairs, against TRL as configured by default and at its best, and the same steps side by side."""
    pairs = bench.texts.pairs[: bench.num_pairs]
    rows, theirs = pair_rows(pairs), bench.rows.dpo(pairs)
    measured = take_turns(
        {
            "ours": lambda: bench.run("dpo", rows, OURS),
            f"{TRL}, default": lambda: bench.run_peer("dpo", theirs, ONCE),
            f"{TRL}, best": lambda: bench.run_peer("dpo", theirs, BEST_REFERENCE),
        },
        bench.rounds,
    )
    return speed("dpo", "pairs", len(pairs), measured) | equal_steps(bench, "dpo", pairs)


def equal_steps(bench: Bench, algorithm: str, pairs: Sequence[PreferencePair]) -> Metrics:
    """A few steps on one batch, over and over, so that the order of examples is the same whatever the trainer's."""
    if bench.dtype != "float32":
        return {}
    batch = pairs[: bench.batch_size]
    same = {"batch_size": len(batch), "num_epochs": EQUAL_STEPS, "learning_rate": 1e-4, **OUR_EQUAL}
    settings = {
        "num_train_epochs": EQUAL_STEPS,
        "learning_rate": 1e-4,
        **EQUAL,
        **(SFT_LOSS if algorithm == "sft" else {}),
    }
    rows = demonstration_rows(batch) if algorithm == "sft" else pair_rows(batch)
    ours = bench.run(algorithm, rows, same)
    theirs = bench.run_peer(algorithm, getattr(bench.rows, algorithm)(batch), settings)
    return difference(algorithm, ours, theirs)


def lora(bench: Bench) -> Metrics:
    """DPO of an adapter on every linear layer, against our DPO of all weights and TRL's of the same adapter."""
    pairs = bench.texts.pairs[: bench.num_pairs]
    rows, theirs = pair_rows(pairs), bench.rows.dpo(pairs)
    adapter = save_adapter(bench.model, bench.folder / "adapter", dtype=bench.dtype)
    measured = take_turns(
        {
            "ours": lambda: bench.run("dpo", rows, {**OURS, "lora": {}}),
            ALL_WEIGHTS: lambda: bench.run("dpo", rows, OURS),
            f"{TRL}, best": lambda: bench.run_peer("dpo", theirs, BEST_REFERENCE, adapter=adapter),
        },
        bench.rounds,
    )
    whole = {name: measured[name] for name in ("ours", ALL_WEIGHTS)}
    peer = {name: runs for name, runs in measured.items() if name != ALL_WEIGHTS}
    return speed("dpo_lora", "pairs", len(pairs), peer) | speed("dpo_lora_beside_full", "pairs", len(pairs), whole)


def reward(bench: Bench) -> Metrics:
    """A reward model on pairs, against TRL at its best."""
    pairs = bench.texts.pairs[: bench.num_pairs]
    rows, theirs = pair_rows(pairs), bench.rows.reward(pairs)
    measured = take_turns(
        {
            "ours": lambda: bench.run("reward", rows, OURS),
            f"{TRL}, best": lambda: bench.run_peer("reward", theirs, BEST),
        },
        bench.rounds,
    )
    return speed("reward", "pairs", len(pairs), measured) | equal_steps(bench, "reward", pairs)


def rankings(bench: Bench) -> Metrics:
    """A reward model on rankings of 4 to 9 replies, against TRL on the pairs that they stand for."""
    if not hasattr(our_config, "RANKING_LOSS_NAMES"):
        raise Skipped("our reward model learns from pairs only")
    chosen = bench.texts.rankings[: bench.num_rankings]
    pairs = expanded(chosen)
    rows, theirs = ranking_rows(chosen), bench.rows.reward(pairs)
    per_step = max(1, round(bench.batch_size * len(chosen) / len(pairs)))  # rankings that stand for a batch of pairs
    measured = take_turns(
        {
            "ours": lambda: bench.run("reward", rows, {**OURS, "batch_size": per_step}),
            f"{TRL}, best": lambda: bench.run_peer("reward", theirs, BEST),
        },
        bench.rounds,
    )
    return speed("rankings", "prompts", len(chosen), measured)


def sft(bench: Bench) -> Metrics:
    """SFT on the chosen replies, against TRL without padding."""
    pairs = bench.texts.pairs[: bench.num_pairs]
    rows, theirs = demonstration_rows(pairs), bench.rows.sft(pairs)
    best = {**BEST, **SFT_LOSS, "padding_free": True, "max_length": None}
    measured = take_turns(
        {
            "ours": lambda: bench.run("sft", rows, OURS),
            f"{TRL}, best": lambda: bench.run_peer("sft", theirs, best),
        },
        bench.rounds,
    )
    return speed("sft", "examples", len(pairs), measured) | equal_steps(bench, "sft", pairs)


def kto(bench: Bench) -> Metrics:
    """KTO on the replies of pairs, each labelled by itself, against TRL at its best."""
    pairs = bench.texts.pairs[: bench.num_pairs // 2]
    rows, theirs = labelled_rows(pairs), bench.rows.kto(pairs, batch_size=bench.batch_size)
    best = {**ONCE, "gradient_checkpointing": False, "precompute_ref_log_probs": True}
    measured = take_turns(
        {
            "ours": lambda: bench.run("kto", rows, OURS),
            f"{TRL}, best": lambda: bench.run_peer("kto", theirs, best),
        },
        bench.rounds,
    )
    return speed("kto", "replies", len(rows), measured)


def ppo(bench: Bench) -> Metrics:
    """PPO: replies of a fixed length and four passes over each rollout, against the last TRL that has it.

    Our side samples in the trainer, and once more through vLLM where `make vllm` has made its environment; the seconds
    in which that starts are a metric of their own and no part of its speed.
    """
    num_prompts, num_new, epochs, minibatches = 2 * bench.batch_size, bench.num_new_tokens, 4, 2
    judge = bench.folder / "judge"
    pairs = bench.texts.pairs[: bench.num_rollouts * num_prompts]
    ours = {
        "batch_size": num_prompts,
        "num_minibatches": minibatches,
        "num_ppo_epochs": epochs,
        "max_completion_tokens": num_new,
        "num_critic_warmup": 0,
        "max_update_kl": 1e6,
        "max_kl": 1e6,
    }
    theirs = {
        "per_device_train_batch_size": num_prompts // minibatches,
        "gradient_accumulation_steps": minibatches,
        "num_mini_batches": minibatches,
        "num_ppo_epochs": epochs,
        "response_length": num_new,
        "temperature": 1.0,
        "total_episodes": len(pairs),
        "num_sample_generations": 0,
        "gradient_checkpointing": False,
    }
    rows, prompts = prompt_rows(pairs), bench.rows.ppo(pairs)
    save_judge(bench.model, judge)
    sides: dict[str, Side] = {
        "ours": lambda: bench.run("ppo", rows, {**ours, "rollout_engine": "in_process"}, reward_model=judge),
        TRL_PPO_BEST: lambda: bench.run_peer("ppo", prompts, theirs, module="trl_ppo_worker"),
    }
    if our_vllm().exists():
        sides[VLLM] = lambda: bench.run("ppo", rows, {**ours, "rollout_engine": "vllm"}, reward_model=judge)
    measured = take_turns(sides, bench.rounds)
    with_vllm = measured.pop(VLLM, [])
    return speed("ppo", "prompts", len(pairs), measured) | vllm_speed(len(pairs), with_vllm, measured[TRL_PPO_BEST])


def vllm_speed(num_prompts: int, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Metrics:
    """Prompts a second with vLLM, its start left out, and how long that took; nothing where there is no vLLM.

    No memory: that of vLLM's process is not the trainer's.
    """
    if not ours:
        return {}
    rates = [statistics.median(num_prompts / seconds_of(one) for one in runs) for runs in (ours, theirs)]
    ratio = statistics.median(seconds_of(other) / seconds_of(mine) for mine, other in zip(ours, theirs, strict=True))
    started = statistics.median(one["vllm_start_seconds"] for one in ours)
    return {
        "ppo_vllm_prompts_per_second_at_best": metric(rates[0], "prompts/s", TRL_PPO_BEST, rates[1], ratio),
        "ppo_vllm_start": metric(started, "s", None, None, None),
    }


def save_adapter(model: Path, folder: Path, *, dtype: str) -> Path:
    """The folder of a fresh adapter with our default settings, as peft reads it."""
    from training.algorithms.models import load_language_model, with_adapter
    from training.algorithms.weights import save_weights

    adapted = with_adapter(load_language_model(model, dtype=dtype), our_config.LoRAConfig(), base=str(model), seed=0)
    save_weights(adapted, folder, is_final=False)
    return folder / "adapter"


def save_judge(model: Path, folder: Path) -> None:
    """A reward model with a random head on the model's own weights."""
    from torch import nn

    from training.algorithms.models import reward_model_from, score_head
    from training.algorithms.tokenisation import load_tokenizer

    tokenizer = load_tokenizer(str(model))
    network = reward_model_from(str(model), pad_id=int(tokenizer.pad_token_id or 0)).network
    nn.init.normal_(score_head(network).weight)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


MEASURES: dict[str, Callable[[Bench], Metrics]] = {
    "dpo": dpo,
    "lora": lora,
    "reward": reward,
    "rankings": rankings,
    "sft": sft,
    "kto": kto,
    "ppo": ppo,
}


def rankings_by_size(rankings: Sequence[Ranking]) -> dict[int, int]:
    """How many rankings there are of each K."""
    sizes = [len(ranking.replies) for ranking in rankings]
    return {size: sizes.count(size) for size in sorted(set(sizes))}
