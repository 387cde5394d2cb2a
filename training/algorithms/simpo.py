"""Simple preference optimisation: mean log-probabilities and a target margin, without a reference.

P pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.algorithms.batches import collate, completion_logps, sum_by_completion
from training.algorithms.config import SimPOConfig
from training.algorithms.devices import sent
from training.algorithms.examples import read_pairs
from training.algorithms.gradients import Measures
from training.algorithms.losses import noisy_target, simpo_loss
from training.algorithms.pairs import chosen_and_rejected, mean_by_completion, pair_trees, policy_measures, soft_targets
from training.algorithms.policy_runs import fit_policy, start_policy
from training.algorithms.session import Session


def train_simpo(session: Session, config: SimPOConfig) -> None:
    """Run an order of algorithm simpo."""
    run, pairs = start_policy(session, config, read_pairs(session.data), pair_trees)
    weights_P = torch.tensor([pair.weight for pair in pairs])
    target_P = noisy_target(soft_targets(pairs, config.soft_labels), label_smoothing=config.label_smoothing)

    def loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        rows = list(indexes)
        batch = collate([run.trees[i] for i in rows], pad_id=run.tokeniser.pad_id, device=run.model.device)
        logps_N = completion_logps(run.model, batch).logps_N
        chosen_P, rejected_P = chosen_and_rejected(mean_by_completion(logps_N, batch))
        result = simpo_loss(
            chosen_mean_logps_P=chosen_P,
            rejected_mean_logps_P=rejected_P,
            weights_P=sent(weights_P[rows], run.model.device),
            beta=config.beta,
            target_margin=config.target_margin,
            target_P=sent(target_P[rows], run.model.device),
        )
        summed_P2 = chosen_and_rejected(sum_by_completion(logps_N, batch))
        return result.losses_P.sum(), policy_measures(result, *summed_P2)

    fit_policy(run, loss, config, session)
