"""Odds-ratio preference optimisation: fine-tuning on the chosen replies and an odds ratio in one, without a reference.

P pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.algorithms.batches import collate, completion_logps, sum_by_completion
from training.algorithms.config import ORPOConfig
from training.algorithms.devices import sent
from training.algorithms.examples import read_pairs
from training.algorithms.gradients import Measures
from training.algorithms.losses import orpo_loss
from training.algorithms.pairs import chosen_and_rejected, mean_by_completion, pair_trees, policy_measures
from training.algorithms.policy_runs import fit_policy, start_policy
from training.algorithms.session import Session


def train_orpo(session: Session, config: ORPOConfig) -> None:
    """Run an order of algorithm orpo."""
    run, pairs = start_policy(session, config, read_pairs(session.data), pair_trees)
    weights_P = torch.tensor([pair.weight for pair in pairs])

    def loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        rows = list(indexes)
        batch = collate([run.trees[i] for i in rows], pad_id=run.tokeniser.pad_id, device=run.model.device)
        logps_N = completion_logps(run.model, batch).logps_N
        chosen_P, rejected_P = chosen_and_rejected(mean_by_completion(logps_N, batch))
        result = orpo_loss(
            chosen_mean_logps_P=chosen_P,
            rejected_mean_logps_P=rejected_P,
            weights_P=sent(weights_P[rows], run.model.device),
            odds_weight=config.odds_weight,
        )
        summed_P2 = chosen_and_rejected(sum_by_completion(logps_N, batch))
        measures = policy_measures(result, *summed_P2)
        return result.losses_P.sum(), {**measures, "chosen_nll": -chosen_P.detach().sum()}

    fit_policy(run, loss, config, session)
