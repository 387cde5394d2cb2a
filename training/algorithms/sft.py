"""Supervised fine-tuning on demonstrations: the loss counts completion tokens only.

N completion tokens of a batch, C completions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from training.algorithms.batches import collate, completion_logps, micro_batches, sum_by_completion
from training.algorithms.config import SFTConfig
from training.algorithms.examples import Demonstration, read_demonstrations
from training.algorithms.gradients import Measures
from training.algorithms.loop import Objective, fit
from training.algorithms.losses import sft_loss
from training.algorithms.models import LanguageModel
from training.algorithms.samples import write_samples
from training.algorithms.session import Session
from training.algorithms.start import check_context, report_truncation, start_language_model
from training.algorithms.tokenisation import ChatTokeniser, TokenTree


def train_sft(session: Session, config: SFTConfig) -> None:
    """Run an order of algorithm sft."""
    data = read_demonstrations(session.data)
    model, tokeniser = start_language_model(session, config, data.train)
    check_context(model.network, config)
    trees = [as_tree(item, tokeniser) for item in data.train]
    held_out = [as_tree(item, tokeniser) for item in data.held_out[: config.eval_examples]]
    report_truncation(session, tokeniser)
    num_tokens = [len(tree.completions[0]) for tree in trees]

    def loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        return sft_step(model, [trees[i] for i in indexes], pad_id=tokeniser.pad_id)

    def evaluate(step: int) -> dict[str, float]:
        prompts = [item.prompt for item in data.held_out[: config.num_samples]]
        write_samples(session.events, model, tokeniser, prompts, step=step)
        return evaluate_sft(model, held_out, pad_id=tokeniser.pad_id, max_tokens=config.micro_batch_tokens)

    def is_goal_reached(values: Mapping[str, float]) -> bool:
        return config.stop_at_exact is not None and values.get("held_out_exact", 0.0) >= config.stop_at_exact

    objective = Objective(
        model=model,
        tokenizer=tokeniser.tokenizer,
        trees=trees,
        count=lambda indexes: float(sum(num_tokens[i] for i in indexes)),
        loss=loss,
        evaluate=evaluate,
        is_goal_reached=is_goal_reached,
    )
    fit(objective, config, session)


def as_tree(item: Demonstration, tokeniser: ChatTokeniser) -> TokenTree:
    """A demonstration as a tree of one completion."""
    return tokeniser.tree(item.prompt, [item.completion])


def sft_step(model: LanguageModel, trees: Sequence[TokenTree], *, pad_id: int) -> tuple[Tensor, Measures]:
    """Summed loss of a micro-batch, and how many of its tokens the model would have chosen itself."""
    scored = completion_logps(model, collate(trees, pad_id=pad_id, device=model.device))
    return sft_loss(logps_N=scored.logps_N).sum(), {"token_accuracy": scored.is_greedy_N.sum()}


def evaluate_sft(model: LanguageModel, trees: Sequence[TokenTree], *, pad_id: int, max_tokens: int) -> dict[str, float]:
    """Loss and accuracy per token, and the fraction of replies that greedy decoding would reproduce exactly."""
    if not trees:
        return {}
    losses, hits, num_wrong = [], [], []
    for _, batch in micro_batches(model, trees, pad_id=pad_id, max_tokens=max_tokens):
        scored = completion_logps(model, batch)
        losses.append(sft_loss(logps_N=scored.logps_N))
        hits.append(scored.is_greedy_N.float())
        num_wrong.append(sum_by_completion(1 - hits[-1], batch))
    return {
        "held_out_loss": torch.cat(losses).mean().item(),
        "held_out_token_accuracy": torch.cat(hits).mean().item(),
        "held_out_exact": (torch.cat(num_wrong) == 0).float().mean().item(),
    }
