"""Kahneman–Tversky optimisation: single replies that are wanted or not, against the frozen initial model.

Each tree has two completions: the labelled reply, and another prompt's reply, which says how far the policy has
moved where nothing pulls at it. The latter's mean over a whole batch is the baseline z; it is computed before the
batch's first micro-batch, so that cutting a batch differently changes nothing.

C labelled completions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from training.algorithms.batches import collate, completion_logps, micro_batches, sum_by_completion
from training.algorithms.config import KTOConfig
from training.algorithms.devices import sent
from training.algorithms.examples import DataError, LabelledReply, read_labels
from training.algorithms.gradients import Measures
from training.algorithms.losses import kl_baseline, kto_loss
from training.algorithms.models import LanguageModel
from training.algorithms.policy_runs import count_examples, fit_policy, start_policy
from training.algorithms.reference import cached_reference_logps
from training.algorithms.session import Session
from training.algorithms.tokenisation import ChatTokeniser, TokenTree


def train_kto(session: Session, config: KTOConfig) -> None:
    """Run an order of algorithm kto."""
    run, replies = start_policy(session, config, read_labels(session.data), matched_and_mismatched)
    pad_id = run.tokeniser.pad_id
    reference_C2 = cached_reference_logps(
        session, run.model, run.trees, pad_id=pad_id, max_tokens=config.micro_batch_tokens
    )
    matched, mismatched = only(run.trees, 0), only(run.trees, 1)
    is_desirable_C = torch.tensor([reply.is_desirable for reply in replies])
    weights_C = torch.tensor([reply.weight for reply in replies])
    baseline = torch.zeros(())

    def begin(indexes: Sequence[int]) -> float:
        nonlocal baseline
        others = [mismatched[i] for i in indexes]
        logps_C = summed_logps(run.model, others, pad_id=pad_id, max_tokens=config.micro_batch_tokens)
        baseline = sent(kl_baseline(logps_C - reference_C2[list(indexes), 1]), run.model.device)
        return count_examples(indexes)

    def loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        rows = list(indexes)
        known = (sent(table[rows], run.model.device) for table in (reference_C2[:, 0], weights_C, is_desirable_C))
        reference_logps_C, weights_here_C, is_wanted_C = known
        batch = collate([matched[i] for i in rows], pad_id=pad_id, device=run.model.device)
        logps_C = sum_by_completion(completion_logps(run.model, batch).logps_N, batch)
        result = kto_loss(
            logps_C=logps_C,
            reference_logps_C=reference_logps_C,
            is_desirable_C=is_wanted_C,
            baseline=baseline,
            weights_C=weights_here_C,
            beta=config.beta,
            desirable_weight=config.desirable_weight,
            undesirable_weight=config.undesirable_weight,
        )
        signs_C = torch.where(is_wanted_C, 1.0, -1.0)
        return result.losses_C.sum(), {
            "accuracy": ((signs_C * result.rewards_C).sign() + 1).sum() / 2,
            "margin": (signs_C * result.rewards_C).sum(),
            "logps": logps_C.detach().sum(),
            "kl_baseline": baseline * len(rows),
        }

    training = replace(run, trees=matched)
    fit_policy(training, loss, config, session, begin_batch=begin, begin_evaluation=begin)


def matched_and_mismatched(replies: Sequence[LabelledReply], tokeniser: ChatTokeniser) -> list[TokenTree]:
    """Each prompt with its own reply and with that of the next example that has another prompt.

    Raises `DataError` if all prompts are the same: KTO would have nothing to measure its baseline on.
    """
    trees = [tokeniser.tree(reply.prompt, [reply.completion]) for reply in replies]
    others = next_with_another_prompt([tree.prompt for tree in trees])
    return [
        replace(tree, completions=(*tree.completions, *trees[other].completions))
        for tree, other in zip(trees, others, strict=True)
    ]


def next_with_another_prompt(prompts: Sequence[tuple[int, ...]]) -> list[int]:
    """For each prompt the index of the next one, round the end, that differs from it."""
    if len(set(prompts)) < 2:
        raise DataError("KTO needs replies to two prompts or more: its baseline is a reply to another prompt.")
    found = [0] * len(prompts)
    for index in reversed(range(2 * len(prompts))):  # twice round: behind the last one comes the first
        this, following = index % len(prompts), (index + 1) % len(prompts)
        found[this] = following if prompts[this] != prompts[following] else found[following]
    return found


def only(trees: Sequence[TokenTree], number: int) -> list[TokenTree]:
    """The trees with one of their completions."""
    return [replace(tree, completions=(tree.completions[number],)) for tree in trees]


@torch.no_grad()
def summed_logps(model: LanguageModel, trees: Sequence[TokenTree], *, pad_id: int, max_tokens: int) -> Tensor:
    """Summed log-probabilities of the one completion of each tree, nats, shape (C,)."""
    logps_C = torch.zeros(len(trees))
    for group, batch in micro_batches(model, trees, pad_id=pad_id, max_tokens=max_tokens):
        logps_C[group] = sum_by_completion(completion_logps(model, batch).logps_N, batch).cpu()
    return logps_C
