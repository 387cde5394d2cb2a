"""Pipelines that take a minute: few prompts, and models that learn next to nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.models import PipelineRun
from pipeline.options import PipelineOptions
from tests.training.tiny import FRESH

SIZES: dict[str, Any] = {
    "num_demonstrations": 300,
    "num_prompts": 300,
    "num_candidate_prompts": 120,
    "temperature": 1.0,
    "max_new_tokens": 8,
    "num_completions": 3,
    "num_pairs": 300,
    "num_rankings": 6,
    "num_labeler_tasks": 2,
    "num_eval_prompts": 12,
}
SHORT: dict[str, Any] = {
    "batch_size": 4,
    "num_epochs": 1,
    "max_steps": 2,
    "eval_every": 0,
    "eval_examples": 8,
    "checkpoint_every": 0,
    "max_prompt_tokens": 96,
    "max_completion_tokens": 8,
    "num_samples": 1,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "sft": {
        **SHORT,
        "batch_size": 16,
        "num_epochs": 100,
        "max_steps": 200,
        "learning_rate": 5e-3,
        "fresh": {**FRESH, "hidden_size": 48, "intermediate_size": 96, "context_tokens": 128},
        "stop_at_exact": None,
    },
    "reward": SHORT,
    "dpo": SHORT,
    "ppo": {**SHORT, "num_minibatches": 2, "num_critic_warmup": 1},
}


def starter_options(**changes: Any) -> PipelineOptions:
    return PipelineOptions(**{"sizes": SIZES, "configs": CONFIGS, **changes})


def pairs_options(path: Path, **changes: Any) -> PipelineOptions:
    configs = {name: config for name, config in CONFIGS.items() if name != "ppo"}
    return PipelineOptions(**{"kind": "pairs", "data": str(path), "configs": configs, **changes})


def write_pairs(path: Path, num_pairs: int = 60) -> Path:
    """A file in TRL's plain layout, with one unusable line."""
    rows = [
        {"prompt": f"What is {n} plus 1?", "chosen": f"It is {n + 1}.", "rejected": "No."} for n in range(num_pairs)
    ]
    rows[7]["rejected"] = rows[7]["chosen"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def story_of(run: PipelineRun) -> str:
    """Every step with what came out of it, for the message of a failing test."""
    run.refresh_from_db()
    lines = [f"{step.key}: {step.status} {step.summary} {step.error}" for step in run.steps.all()]
    return "\n".join([f"the pipeline is {run.status}", *lines])
