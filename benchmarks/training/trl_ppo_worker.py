"""PPO of the last TRL that has it, timed; runs with that TRL's Python (`make bench-peers`).

A job is as in `trl_worker.py`; rows hold prompts, and the reward model is the folder `judge` beside them.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import Dataset, disable_progress_bars
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl.experimental.ppo import PPOConfig, PPOTrainer

from benchmarks.training.forking import Job, serve
from benchmarks.training.trl_clock import Clock


def perform(job: Job) -> Job:
    """One training run; its times."""
    torch.set_num_threads(job["threads"])
    disable_progress_bars()
    transformers.logging.set_verbosity_error()
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        build(job, clock, folder).train()
    return {
        "reference_seconds": 0.0,
        "train_seconds": clock.ended[-1] - clock.begun,
        "num_steps": len(clock.ended),
        "logs": clock.logs,
    }


def build(job: Job, clock: Clock, folder: str) -> Any:
    """The trainer of a job with its four networks."""
    rows, dtype = Path(job["rows"]), getattr(torch, job["dtype"])
    judge = str(rows.parent / "judge")
    settings = {
        "output_dir": folder,
        "report_to": [],
        "save_strategy": "no",
        "use_cpu": not torch.cuda.is_available(),
        **job["settings"],
    }
    return PPOTrainer(
        args=PPOConfig(**settings),
        processing_class=AutoTokenizer.from_pretrained(job["model"], padding_side="left"),
        model=AutoModelForCausalLM.from_pretrained(job["model"], dtype=dtype),
        ref_model=AutoModelForCausalLM.from_pretrained(job["model"], dtype=dtype),
        reward_model=AutoModelForSequenceClassification.from_pretrained(judge, dtype=dtype),
        value_model=AutoModelForSequenceClassification.from_pretrained(judge, dtype=dtype),
        train_dataset=Dataset.from_list(json.loads(rows.read_text())),
        callbacks=[clock],
    )


if __name__ == "__main__":
    serve(perform)
