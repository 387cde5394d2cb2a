"""One rollout and update of TRL 1.12's PPO, and what it computed on the way; runs with that TRL's Python.

    python -m tests.parity.ppo_pieces MODEL JUDGE OUT

GAE and both clipped losses have no functions of their own in TRL: they stand in `PPOTrainer.train`, which calls
`masked_whiten` on the advantages and `masked_mean` on the losses. Those calls are where its variables are read.
"""

from __future__ import annotations

import sys
import tempfile
from types import FrameType
from typing import Any

import torch
from datasets import Dataset
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

BEFORE_WHITENING = ("advantages", "rewards", "values", "logprobs", "ref_logprobs", "scores", "padding_mask")
OF_A_MICRO_BATCH = (
    "mb_advantage", "mb_logprobs", "mb_return", "mb_values", "new_logprobs", "vpred", "pg_loss_max", "vf_loss_max",
)  # fmt: skip
PROMPTS = [[1, 4, 80 + number, 2, 5] for number in range(8)]

seen: dict[str, torch.Tensor] = {}


def main(model: str, judge: str, out: str) -> None:
    """Train for one rollout and save what was seen."""
    whiten, mean = ppo_trainer.masked_whiten, ppo_trainer.masked_mean

    def watched_whiten(values: Any, mask: Any, *args: Any, **kwargs: Any) -> Any:
        keep(BEFORE_WHITENING, sys._getframe(1))
        seen["whitened"] = whiten(values, mask, *args, **kwargs)
        return seen["whitened"]

    def watched_mean(values: Any, *args: Any, **kwargs: Any) -> Any:
        caller = sys._getframe(1)
        if values is caller.f_locals.get("pg_loss_max"):
            keep(OF_A_MICRO_BATCH, caller)
        return mean(values, *args, **kwargs)

    ppo_trainer.masked_whiten, ppo_trainer.masked_mean = watched_whiten, watched_mean
    with tempfile.TemporaryDirectory() as folder:
        trainer(model, judge, folder).train()
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in seen.items()}, out)


def keep(names: tuple[str, ...], frame: FrameType) -> None:
    """Copy local variables as they are now: the last micro-batch's stay."""
    seen.update({name: frame.f_locals[name].detach().clone() for name in names})


def trainer(model: str, judge: str, folder: str) -> Any:
    """TRL's trainer with a rate so high that both clips hold something back."""
    return PPOTrainer(
        args=PPOConfig(
            output_dir=folder,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            per_device_train_batch_size=len(PROMPTS),
            num_ppo_epochs=4,
            total_episodes=len(PROMPTS),
            num_sample_generations=0,
            response_length=6,
            temperature=1.0,
            kl_coef=0.3,
            gamma=0.97,
            lam=0.9,
            learning_rate=0.02,
            seed=1,
        ),
        processing_class=AutoTokenizer.from_pretrained(model, padding_side="left"),
        model=AutoModelForCausalLM.from_pretrained(model),
        ref_model=AutoModelForCausalLM.from_pretrained(judge.replace("judge", "other")),
        reward_model=AutoModelForSequenceClassification.from_pretrained(judge),
        value_model=AutoModelForSequenceClassification.from_pretrained(judge),
        train_dataset=Dataset.from_dict({"input_ids": PROMPTS}),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
