"""One rollout of PPO: completions of a batch of prompts, scored, and what every network says about them.

C completions (one a prompt), L longest completion, N completion tokens of a micro-batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.algorithms.batches import (
    TreeBatch,
    completion_hidden,
    completion_logps,
    completion_member_scores,
    completion_values,
    lay_out,
    micro_batches,
)
from training.algorithms.config import PPOConfig, allowed_gap
from training.algorithms.devices import sent
from training.algorithms.ensembles import conservative_scores
from training.algorithms.logps import token_logps_and_entropies
from training.algorithms.models import LanguageModel, RewardModel
from training.algorithms.samplers import (
    InProcessSampler,
    Sampled,
    Sampler,
    SamplerDisagrees,
    sampler_gap,
    sampler_table,
)
from training.algorithms.tokenisation import TokenTree


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The four networks of PPO, and the tokens that end and fill a completion."""

    policy: LanguageModel
    reference: LanguageModel  # frozen
    reward: RewardModel  # frozen
    critic: RewardModel
    stop_id: int
    pad_id: int


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Sampled completions and everything that is computed once about them, without gradient."""

    trees: list[TokenTree]  # one completion each
    mask_CL: Tensor  # 1 on completion tokens, float
    logps_CL: Tensor  # of the policy that sampled, recomputed by the trainer, nats
    reference_logps_CL: Tensor  # nats
    entropies_CL: Tensor  # of the policy's next-token distributions, nats
    values_CL: Tensor  # the critic's V before each token
    scores_C: Tensor  # the reward model's, raw; of an ensemble what `conservative_scores` makes of its members'
    member_scores_CE: Tensor  # of each member of the reward model
    is_stopped_C: Tensor  # whether the completion ended with the stop token, bool
    sampler_logps_CL: Tensor | None = None  # of another engine that sampled, nats; None: the trainer's own policy did


def roll_out(
    networks: Networks,
    prompts: Sequence[tuple[int, ...]],
    config: PPOConfig,
    sampler: Sampler | None = None,
    *,
    seeds: Sequence[int] = (),
) -> Rollout:
    """Sample one completion a prompt and let all networks read it.

    Another engine that samples is held to the trainer's log-probabilities: beyond `max_sampler_gap` it starts anew
    and samples again, and what is still beyond it raises `SamplerDisagrees`.
    """
    sampler = sampler or in_process_sampler(networks, config)
    rollout = read_rollout(networks, prompts, sampler.sample(prompts, seeds=seeds), config)
    if gap_of(rollout) > allowed_gap(config):
        sampler.renew()
        rollout = read_rollout(networks, prompts, sampler.sample(prompts, seeds=seeds), config)
    if (gap := gap_of(rollout)) > allowed_gap(config):
        raise SamplerDisagrees(gap, num_tokens=int(rollout.mask_CL.sum()), allowed=allowed_gap(config))
    return rollout


def in_process_sampler(networks: Networks, config: PPOConfig) -> Sampler:
    """The policy itself."""
    return InProcessSampler(policy=networks.policy, config=config, stop_id=networks.stop_id, pad_id=networks.pad_id)


def gap_of(rollout: Rollout) -> float:
    """How far the sampler's log-probabilities lie from the trainer's, nats a token."""
    return sampler_gap(rollout.logps_CL, rollout.sampler_logps_CL, rollout.mask_CL)


@torch.no_grad()
def read_rollout(
    networks: Networks, prompts: Sequence[tuple[int, ...]], sampled: Sampled, config: PPOConfig
) -> Rollout:
    """What all networks say about sampled completions."""
    pairs = zip(prompts, sampled.completions, strict=True)
    trees = [TokenTree(prompt=prompt, completions=(completion,)) for prompt, completion in pairs]
    num_columns = max(len(tree.completions[0]) for tree in trees)
    device = networks.policy.device
    names = ("mask", "logps", "reference", "entropy", "value")
    tables = {name: torch.zeros(len(trees), num_columns, device=device) for name in names}
    member_scores_CE = torch.zeros(len(trees), networks.reward.num_members, device=device)
    for group, batch in micro_batches(
        networks.policy, trees, pad_id=networks.pad_id, max_tokens=config.micro_batch_tokens
    ):
        rows = sent(torch.tensor(group), device)
        for name, values_N in read(networks, batch, temperature=config.temperature).items():
            table = lay_out(values_N, batch)
            tables[name][rows, : table.shape[1]] = table
        member_scores_CE[rows] = completion_member_scores(networks.reward, batch)
    return Rollout(
        trees=trees,
        mask_CL=tables["mask"],
        logps_CL=tables["logps"],
        reference_logps_CL=tables["reference"],
        entropies_CL=tables["entropy"],
        values_CL=tables["value"],
        scores_C=conservative_scores(
            member_scores_CE,
            variance_penalty=config.variance_penalty,
            is_worst_case=config.worst_case,
            num_judges=config.num_judges,
        ),
        member_scores_CE=member_scores_CE,
        is_stopped_C=sent(torch.tensor([tree.completions[0][-1] == networks.stop_id for tree in trees]), device),
        sampler_logps_CL=sampler_table(sampled, tables["logps"]),
    )


def read(networks: Networks, batch: TreeBatch, *, temperature: float) -> dict[str, Tensor]:
    """What policy, reference and critic say about each completion token, all of shape (N,)."""
    hidden_ND = completion_hidden(networks.policy, batch)
    head = networks.policy.head
    logps_N, entropies_N = token_logps_and_entropies(
        hidden_ND=hidden_ND, targets_N=batch.targets_N, head=head, temperature=temperature
    )
    return {
        "mask": torch.ones_like(logps_N),
        "logps": logps_N,
        "entropy": entropies_N,
        "reference": completion_logps(networks.reference, batch, temperature=temperature).logps_N,
        "value": completion_values(networks.critic, batch),
    }
