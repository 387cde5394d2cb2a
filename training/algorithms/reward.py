"""Reward models on pairs or on rankings: a scalar head at the last real token.

A ranking is one tree of K completions, a pair a tree of two; the K(K-1)/2 pairs of a tree cost K passes.
An ensemble is several heads on one backbone, each with a loss of its own over its own sample of the prompts.
C completions of a micro-batch, P judged pairs of it, E members, N training prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from training.algorithms.batches import collate, completion_member_scores
from training.algorithms.config import RewardConfig
from training.algorithms.devices import sent
from training.algorithms.ensembles import bootstrap_counts, reliability, variance_over_members
from training.algorithms.gradients import Measures
from training.algorithms.judged_trees import JudgedPair, JudgedTree, read_judged_trees
from training.algorithms.loop import Objective, fit
from training.algorithms.models import RewardModel, reward_model_from, with_adapter
from training.algorithms.pairs import evaluate_pairs, is_right
from training.algorithms.reward_losses import OUTCOME_MODELS, bradley_terry_loss, plackett_luce_loss
from training.algorithms.session import Session
from training.algorithms.start import chat_tokeniser, check_context, initial_model, report_truncation


def train_reward(session: Session, config: RewardConfig) -> None:
    """Run an order of algorithm reward."""
    start = initial_model(session)
    tokeniser = chat_tokeniser(start, config)
    whole = reward_model_from(
        start,
        pad_id=tokeniser.pad_id,
        dtype=config.dtype,
        device=session.device,
        num_members=config.ensemble_size,
        seed=session.spec.seed,
    )
    model = with_adapter(whole, config.lora, base=start, seed=session.spec.seed)
    check_context(model.network, config)
    train, held_out = read_judged_trees(session, config, tokeniser)
    report_truncation(session, tokeniser)
    counts_EN = member_counts(train, config, seed=session.spec.seed)

    def loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        scored = score(model, [train[i] for i in indexes], pad_id=tokeniser.pad_id)
        counts_EI = None if counts_EN is None else counts_EN[:, list(indexes)]
        return reward_loss(scored, config, counts_EI), measures(scored)

    def evaluate(step: int) -> dict[str, float]:
        del step
        return evaluate_reward(model, held_out, config, pad_id=tokeniser.pad_id)

    objective = Objective(
        model=model,
        tokenizer=tokeniser.tokenizer,
        trees=[item.tree for item in train],
        count=lambda indexes: float(len(indexes)),
        loss=loss,
        evaluate=evaluate,
    )
    fit(objective, config, session)


def member_counts(train: Sequence[JudgedTree], config: RewardConfig, *, seed: int) -> Tensor | None:
    """How often each member learns from each training example, shape (E, N); None: once."""
    if config.ensemble_size == 1 or not config.bootstrap:
        return None
    return bootstrap_counts([item.tree.prompt for item in train], num_members=config.ensemble_size, seed=seed)


def evaluate_reward(
    model: RewardModel, held_out: Sequence[JudgedTree], config: RewardConfig, *, pad_id: int
) -> dict[str, float]:
    """Means over held-out examples; of an ensemble also whether its members disagree where it errs."""
    seen: list[ScoredTrees] = []

    def step(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        scored = score(model, [held_out[i] for i in indexes], pad_id=pad_id)
        seen.append(scored)
        return reward_loss(scored, config), measures(scored)

    trees = [item.tree for item in held_out]
    values = evaluate_pairs(step, model, trees, max_tokens=config.micro_batch_tokens)
    if seen and model.num_members > 1:
        margins_PE = torch.cat([scored.member_margins() for scored in seen]).cpu()
        found = reliability(margins_PE, torch.cat([scored.column("share") for scored in seen]).cpu())
        values |= {f"held_out_{name}": value for name, value in found.items()}
    return values


@dataclass(frozen=True, kw_only=True)
class ScoredTrees:
    """A micro-batch of prompts, their completions' scores, and where its pairs find theirs."""

    items: Sequence[JudgedTree]
    scores_CE: Tensor
    pairs: Sequence[JudgedPair]
    chosen: Tensor  # numbers of the P chosen completions among the C
    rejected: Tensor

    def member_margins(self) -> Tensor:
        """By how much each member puts the chosen completion above the rejected one, without gradient, (P, E)."""
        scores_CE = self.scores_CE.detach()
        return scores_CE[self.chosen] - scores_CE[self.rejected]

    def column(self, name: str) -> Tensor:
        """A field of the pairs, shape (P,)."""
        return sent(torch.tensor([getattr(pair, name) for pair in self.pairs]), self.scores_CE.device)


def score(model: RewardModel, items: Sequence[JudgedTree], *, pad_id: int) -> ScoredTrees:
    """One forward pass over some prompts with all their completions."""
    starts = first_completions(items)
    placed = [(start, pair) for start, item in zip(starts, items, strict=True) for pair in item.pairs]
    return ScoredTrees(
        items=items,
        scores_CE=completion_member_scores(
            model, collate([item.tree for item in items], pad_id=pad_id, device=model.device)
        ),
        pairs=[pair for _, pair in placed],
        chosen=sent(torch.tensor([start + pair.chosen for start, pair in placed], dtype=torch.long), model.device),
        rejected=sent(torch.tensor([start + pair.rejected for start, pair in placed], dtype=torch.long), model.device),
    )


def reward_loss(scored: ScoredTrees, config: RewardConfig, counts_EI: Tensor | None = None) -> Tensor:
    """Summed loss of a micro-batch of I prompts, a scalar: the mean over the members of what each loses.

    `counts_EI` is how often each member's sample holds each prompt; None: once.
    """
    member_losses = [
        member_loss(scored, scores_C, config, [1.0] * len(scored.items) if counts_EI is None else counts_EI[e].tolist())
        for e, scores_C in enumerate(scored.scores_CE.unbind(-1))
    ]
    return member_losses[0] if len(member_losses) == 1 else torch.stack(member_losses).mean()


def member_loss(scored: ScoredTrees, scores_C: Tensor, config: RewardConfig, counts: Sequence[float]) -> Tensor:
    """Summed loss of one member's scores, in which each prompt counts `counts` times."""
    if config.ranking_loss == "plackett_luce":
        return summed_plackett_luce(scores_C, scored.items, counts, centring=config.centring)
    counts_P = [count for item, count in zip(scored.items, counts, strict=True) for _ in item.pairs]
    return bradley_terry_loss(
        chosen_scores_P=scores_C[scored.chosen],
        rejected_scores_P=scores_C[scored.rejected],
        weights_P=scored.column("weight") * sent(torch.tensor(counts_P), scores_C.device),
        p_chosen_P=scored.column("p_chosen"),
        p_tied_P=scored.column("p_tied"),
        margins_P=scored.column("margin"),
        label_smoothing=config.label_smoothing,
        centring=config.centring,
        outcomes=OUTCOME_MODELS[config.ties],
        tie_rate=config.tie_rate,
    ).sum()


def measures(scored: ScoredTrees) -> Measures:
    """Sums of what the curves show, by the members' mean score, in which each prompt counts as one."""
    scores_C, shares_P = scored.scores_CE.detach().mean(dim=-1), scored.column("share")
    chosen_P, rejected_P = scores_C[scored.chosen], scores_C[scored.rejected]
    sums = {
        "accuracy": (shares_P * is_right(chosen_P - rejected_P)).sum(),
        "margin": (shares_P * (chosen_P - rejected_P)).sum(),
        "chosen_score": (shares_P * chosen_P).sum(),
        "rejected_score": (shares_P * rejected_P).sum(),
    }
    if scored.scores_CE.shape[-1] > 1:
        sums["variance"] = (shares_P * variance_over_members(scored.member_margins())).sum()
    return sums


def first_completions(items: Sequence[JudgedTree]) -> list[int]:
    """The number of each prompt's first completion among the C of a micro-batch."""
    return [0, *accumulate(len(item.tree.completions) for item in items)][:-1]


def summed_plackett_luce(
    scores_C: Tensor, items: Sequence[JudgedTree], counts: Sequence[float], *, centring: float
) -> Tensor:
    """Plackett–Luce over all rankings of a micro-batch, a scalar; centring is that of pairs, c (2 mean r)²."""
    parts = scores_C.split([len(item.tree.completions) for item in items])
    losses = [
        count
        * item.weight
        * (plackett_luce_loss(scores_K=scores_K, tiers=item.tiers) + centring * (2 * scores_K.mean()).square())
        for item, count, scores_K in zip(items, counts, parts, strict=True)
    ]
    return torch.stack(losses).sum()
