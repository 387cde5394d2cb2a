"""Direct preference optimisation against the frozen initial model.

P pairs, C = 2 P completions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.algorithms.batches import collate, completion_logps, sum_by_completion
from training.algorithms.config import DPOConfig
from training.algorithms.devices import sent
from training.algorithms.examples import read_pairs
from training.algorithms.gradients import Measures
from training.algorithms.losses import PAIR_LOSSES, dpo_loss, noisy_target
from training.algorithms.models import LanguageModel
from training.algorithms.pairs import chosen_and_rejected, pair_trees, policy_measures, soft_targets
from training.algorithms.policy_runs import fit_policy, start_policy
from training.algorithms.reference import cached_reference_logps
from training.algorithms.session import Session
from training.algorithms.tokenisation import TokenTree


def train_dpo(session: Session, config: DPOConfig) -> None:
    """Run an order of algorithm dpo."""
    run, pairs = start_policy(session, config, read_pairs(session.data), pair_trees)
    pad_id = run.tokeniser.pad_id
    reference_P2 = cached_reference_logps(
        session, run.model, run.trees, pad_id=pad_id, max_tokens=config.micro_batch_tokens
    )
    weights_P = torch.tensor([pair.weight for pair in pairs])
    target_P = noisy_target(
        soft_targets(pairs, config.soft_labels), label_smoothing=config.label_smoothing, is_robust=config.robust
    )

    def loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        rows, trees = list(indexes), [run.trees[i] for i in indexes]
        reference, weights, targets = (
            sent(table[rows], run.model.device) for table in (reference_P2, weights_P, target_P)
        )
        return dpo_step(run.model, trees, reference, weights, targets, config, pad_id=pad_id)

    fit_policy(run, loss, config, session)


def dpo_step(
    model: LanguageModel,
    trees: Sequence[TokenTree],
    reference_P2: Tensor,
    weights_P: Tensor,
    target_P: Tensor,
    config: DPOConfig,
    *,
    pad_id: int,
) -> tuple[Tensor, Measures]:
    """Summed loss of a micro-batch of pairs, and sums of what the curves show."""
    batch = collate(trees, pad_id=pad_id, device=model.device)
    logps_C = sum_by_completion(completion_logps(model, batch).logps_N, batch)
    lengths_C = sent(token_counts(trees), logps_C.device) if config.is_per_token else torch.ones_like(logps_C)
    chosen_P, rejected_P = chosen_and_rejected(logps_C / lengths_C)
    reference_chosen_P, reference_rejected_P = chosen_and_rejected(reference_P2.flatten() / lengths_C)
    result = dpo_loss(
        chosen_logps_P=chosen_P,
        rejected_logps_P=rejected_P,
        reference_chosen_logps_P=reference_chosen_P,
        reference_rejected_logps_P=reference_rejected_P,
        weights_P=weights_P,
        beta=config.beta,
        target_P=target_P,
        pair_loss=PAIR_LOSSES[config.loss],
    )
    return result.losses_P.sum(), policy_measures(result, *chosen_and_rejected(logps_C))


def token_counts(trees: Sequence[TokenTree]) -> Tensor:
    """Tokens of each completion, stop token included, shape (C,)."""
    return torch.tensor([float(len(completion)) for tree in trees for completion in tree.completions])
