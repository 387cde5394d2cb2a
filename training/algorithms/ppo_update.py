"""The update of PPO: minibatches of a rollout, a clipped step of the policy and one of the critic.

C completions of a rollout, L longest completion, N completion tokens of a micro-batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.algorithms.batches import (
    TreeBatch,
    completion_logps,
    completion_values,
    costs,
    micro_batches,
    pick_up,
)
from training.algorithms.config import PPOConfig
from training.algorithms.devices import sent
from training.algorithms.divergence import kl_k3
from training.algorithms.gradients import TokenBudget, within_budget
from training.algorithms.losses import ppo_policy_loss, ppo_value_loss, truncated_importance_weights
from training.algorithms.optimiser import AdamW, adamw, clipped_step
from training.algorithms.rollout import Networks, Rollout

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What an update works towards."""

    advantages_CL: Tensor  # whitened over the rollout's tokens
    returns_CL: Tensor  # what the critic should have said


@dataclass(kw_only=True)
class Update:
    """Policy and critic with their optimisers."""

    networks: Networks
    config: PPOConfig
    report: Callable[[str], None] = log.info  # told when memory runs out
    numbers: dict[str, float] = field(default_factory=dict)  # of the run: its smaller token budget goes in here
    budget: TokenBudget = field(init=False)  # of the forward passes that keep what a backward pass needs
    policy_optimiser: AdamW = field(init=False)
    critic_optimiser: AdamW = field(init=False)

    def __post_init__(self) -> None:
        tokens = self.config.micro_batch_tokens
        self.budget = TokenBudget(configured=tokens, report=self.report, numbers=self.numbers)
        policy, critic, decay = self.networks.policy, self.networks.critic, self.config.weight_decay
        rate, critic_rate = self.config.learning_rate, self.config.critic_learning_rate
        self.policy_optimiser = adamw(policy.trained.values(), learning_rate=rate, weight_decay=decay)
        self.critic_optimiser = adamw(critic.trained.values(), learning_rate=critic_rate, weight_decay=decay)

    def run(self, rollout: Rollout, targets: Targets, rates: dict[str, float]) -> dict[str, float]:
        """All epochs over a rollout at these learning rates (policy 0: the critic alone); what was measured, averaged.

        Left early once the mean KL between rollout and update passes 1.5 × max_update_kl, per token.
        """
        measured: list[dict[str, float]] = []
        for _ in range(self.config.num_ppo_epochs):
            for rows in torch.randperm(len(rollout.trees)).chunk(self.config.num_minibatches):
                measured.append(self.minibatch(rollout, targets, rows.tolist(), rates))
                if measured[-1]["update_kl"] > 1.5 * self.config.max_update_kl:
                    return {**averaged(measured), "first_ratio": measured[0]["ratio"]}
        return {**averaged(measured), "first_ratio": measured[0]["ratio"]}

    def minibatch(
        self, rollout: Rollout, targets: Targets, rows: Sequence[int], rates: dict[str, float]
    ) -> dict[str, float]:
        """One step of the policy and one of the critic; losses are means over the minibatch's tokens."""
        totals = within_budget(
            lambda: self.gradients(rollout, targets, rows, trains_policy=rates["policy"] > 0),
            [self.policy_optimiser, self.critic_optimiser],
            self.budget,
            lambda: max(costs(self.networks.policy, [rollout.trees[row] for row in rows])),
        )
        norms = {"critic_grad_norm": self.step("critic", rates["critic"])}
        if rates["policy"] > 0:
            norms["grad_norm"] = self.step("policy", rates["policy"])
        return {"loss": totals["policy_loss"] + totals["value_loss"], **totals, **norms}

    def gradients(
        self, rollout: Rollout, targets: Targets, rows: Sequence[int], *, trains_policy: bool
    ) -> dict[str, float]:
        """Leave the gradients of a minibatch; means over its tokens of what was measured."""
        num_tokens = sum(len(rollout.trees[row].completions[0]) for row in rows)
        sums: dict[str, Tensor] = {}
        for group, batch in micro_batches(
            self.networks.policy,
            rollout.trees,
            pad_id=self.networks.pad_id,
            max_tokens=self.budget.max_tokens,
            rows=rows,
        ):
            measures = self.backward(rollout, targets, group, batch, num_tokens, trains_policy=trains_policy)
            for name, total in measures.items():
                sums[name] = sums[name] + total if name in sums else total
        return dict(zip(sums, (torch.stack(list(sums.values())) / num_tokens).tolist(), strict=True))

    def backward(
        self,
        rollout: Rollout,
        targets: Targets,
        group: Sequence[int],
        batch: TreeBatch,
        num_tokens: int,
        *,
        trains_policy: bool,
    ) -> dict[str, Tensor]:
        """Gradients of one micro-batch, divided by the minibatch's tokens; sums of what the curves show."""
        config = self.config
        rows = sent(torch.tensor(group), self.networks.policy.device)
        old_logps_N, old_values_N = pick_up(rollout.logps_CL[rows], batch), pick_up(rollout.values_CL[rows], batch)
        values_N = completion_values(self.networks.critic, batch)
        value_losses_N = ppo_value_loss(
            values_N=values_N,
            old_values_N=old_values_N,
            returns_N=pick_up(targets.returns_CL[rows], batch),
            value_clip=config.value_clip,
        )
        (value_losses_N.sum() / num_tokens).backward()
        with torch.set_grad_enabled(trains_policy):
            logps_N = completion_logps(self.networks.policy, batch, temperature=config.temperature).logps_N
            policy = ppo_policy_loss(
                logps_N=logps_N,
                old_logps_N=old_logps_N,
                advantages_N=pick_up(targets.advantages_CL[rows], batch),
                ratio_clip=config.ratio_clip,
                importance_N=importance_weights(rollout, rows, batch, cap=config.importance_cap),
            )
        if trains_policy:
            (policy.losses_N.sum() / num_tokens).backward()
        return {
            "policy_loss": policy.losses_N.detach().sum(),
            "value_loss": value_losses_N.detach().sum(),
            "ratio": policy.ratios_N.sum(),
            "clip_fraction": policy.is_clipped_N.float().sum(),
            "update_kl": kl_k3(logps=old_logps_N, reference_logps=logps_N.detach()).sum(),
        }

    def step(self, name: str, rate: float) -> float:
        """One clipped step of the policy or the critic; the gradient's norm before clipping."""
        optimiser = {"policy": self.policy_optimiser, "critic": self.critic_optimiser}[name]
        return clipped_step(optimiser, learning_rate=rate, max_grad_norm=self.config.max_grad_norm).item()


def importance_weights(rollout: Rollout, rows: Tensor, batch: TreeBatch, *, cap: float) -> Tensor | float:
    """What each token of a micro-batch weighs because another engine sampled it, shape (N,); 1 if none did."""
    if rollout.sampler_logps_CL is None:
        return 1.0
    return truncated_importance_weights(
        old_logps_N=pick_up(rollout.logps_CL[rows], batch),
        sampler_logps_N=pick_up(rollout.sampler_logps_CL[rows], batch),
        cap=cap,
    )


def averaged(measured: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of every measurement over the minibatches."""
    return {name: sum(values[name] for values in measured) / len(measured) for name in measured[0]}
