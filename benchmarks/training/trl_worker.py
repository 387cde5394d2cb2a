"""TRL's trainers on rows of token ids, timed; runs with TRL's Python (`make bench-peers`).

A job: {"trainer": a key of TRAINERS, "model": folder, "rows": path of a JSON list, "settings": fields of the trainer's
configuration, "adapter": folder of a LoRA adapter to train, or nothing, "result": path}. The rows are tokenised
already, with the same tokens as on our side; nothing but the trainer's own work is in the times.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import Dataset, disable_progress_bars
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from benchmarks.training.forking import Job, serve
from benchmarks.training.trl_clock import Clock

TRAINERS: dict[str, tuple[Any, Any]] = {
    "dpo": (DPOTrainer, DPOConfig),
    "reward": (RewardTrainer, RewardConfig),
    "sft": (SFTTrainer, SFTConfig),
    "kto": (KTOTrainer, KTOConfig),
    "orpo": (ORPOTrainer, ORPOConfig),
    "cpo": (CPOTrainer, CPOConfig),
}
TAKES_TOKENS = ("reward", "sft")  # trainers that leave tokenised rows alone


def perform(job: Job) -> Job:
    """One training run; its times, losses and gradient norms."""
    torch.set_num_threads(job["threads"])
    disable_progress_bars()
    transformers.logging.set_verbosity_error()
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = build(job, clock, folder)
        trainer.train()
    return {
        "reference_seconds": clock.reference_seconds,
        "train_seconds": clock.ended[-1] - clock.begun,
        "num_steps": len(clock.ended),
        "losses": [loss.item() for loss in clock.losses],
        "grad_norms": [float(logs["grad_norm"]) for logs in clock.logs if "grad_norm" in logs],
    }


def build(job: Job, clock: Clock, folder: str) -> Any:
    """The trainer of a job."""
    name = job["trainer"]
    trainer_class, config_class = TRAINERS[name]
    settings = {
        "output_dir": folder,
        "report_to": [],
        "save_strategy": "no",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "use_cpu": not torch.cuda.is_available(),
        **job["settings"],
    }
    return recorded(trainer_class, clock, tokenises=name not in TAKES_TOKENS)(
        model=load_model(job),
        args=config_class(**settings),
        train_dataset=Dataset.from_list(json.loads(Path(job["rows"]).read_text())),
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        callbacks=[clock],
    )


def load_model(job: Job) -> Any:
    """The model of a job, with the adapter that it names."""
    model = load_whole_model(job)
    return PeftModel.from_pretrained(model, job["adapter"], is_trainable=True) if job.get("adapter") else model


def load_whole_model(job: Job) -> Any:
    """The model of a job in its precision; a reward model's head starts at zero, as ours does."""
    dtype = getattr(torch, job["dtype"])
    if job["trainer"] != "reward":
        return AutoModelForCausalLM.from_pretrained(job["model"], dtype=dtype)
    model = AutoModelForSequenceClassification.from_pretrained(job["model"], dtype=dtype, num_labels=1)
    torch.nn.init.zeros_(model.score.weight)
    return model


def recorded(trainer_class: Any, clock: Clock, *, tokenises: bool) -> Any:
    """The trainer, which also notes every loss and the time of its reference; it takes tokenised rows as they are."""

    class Recorded(trainer_class):
        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().compute_loss(*args, **kwargs)
            clock.losses.append((loss[0] if isinstance(loss, tuple) else loss).detach())
            return loss

        def _precompute_ref_logps(self, *args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            dataset = super()._precompute_ref_logps(*args, **kwargs)
            clock.reference_seconds += time.perf_counter() - started
            return dataset

        if tokenises:

            def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
                return dataset

            def tokenize_row(self, row: Any, *args: Any, **kwargs: Any) -> Any:
                return row

    return Recorded


if __name__ == "__main__":
    serve(perform)
