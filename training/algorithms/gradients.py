"""The gradient of a batch: micro-batches cut by a token budget, halved where memory is short, shared by processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import torch
from torch import Tensor

from training.algorithms.batches import costs, groups
from training.algorithms.failures import TrainingFailure, is_out_of_memory
from training.algorithms.models import LanguageModel, RewardModel
from training.algorithms.optimiser import AdamW
from training.algorithms.sharding import is_sharded
from training.algorithms.team import Team
from training.algorithms.tokenisation import TokenTree

Measures = Mapping[str, Tensor]  # sums over the examples (or tokens) of a micro-batch, scalars
Result = TypeVar("Result")
Loss = Callable[[Sequence[int]], tuple[Tensor, Measures]]  # numbers of trees to the sum of losses and measurements


HALVED: Final = "micro_batch_tokens"  # the number in a checkpoint's state that a resumed run goes on with


@dataclass(kw_only=True)
class TokenBudget:
    """How many tokens a forward pass may compute. It bounds memory and never changes a loss.

    Once halved it stays so: `numbers` go into the checkpoint, and a resumed run cuts its batches as this one does.
    """

    configured: int
    report: Callable[[str], None]
    numbers: MutableMapping[str, float] = field(default_factory=dict)

    @property
    def max_tokens(self) -> int:
        """Tokens of a forward pass."""
        return min(self.configured, int(self.numbers.get(HALVED, self.configured)))

    def halve(self, longest: int, error: Exception) -> None:
        """Half of it, or `TrainingFailure` of kind out_of_memory if the longest example stood alone already."""
        if self.max_tokens <= longest:
            advice = "Lower max_prompt_tokens or max_completion_tokens, or train on a device with more memory."
            raise TrainingFailure(
                "out_of_memory", f"Memory ran out on a single example of {longest} tokens: {error}. {advice}"
            ) from error
        self.numbers[HALVED] = max(longest, self.max_tokens // 2)
        self.report(
            f"Out of memory: forward passes are cut to {self.max_tokens} tokens. The loss does not change by it."
        )


def accumulate(
    loss: Loss,
    model: LanguageModel | RewardModel,
    trees: Sequence[TokenTree],
    indexes: Sequence[int],
    optimiser: AdamW,
    *,
    count: float,
    budget: TokenBudget,
    team: Team,
) -> dict[str, float]:
    """Leave the gradient of the summed loss over `indexes`, divided by `count`; returns the sums that were measured.

    When memory runs out the gradient is dropped, the budget is halved and this process's share of the batch is begun
    again, while the others wait for its sums. With sharded weights it is a failure at once: they wait in the middle.
    """

    def attempt() -> dict[str, float]:
        return share_of_gradient(loss, model, trees, indexes, count=count, budget=budget, team=team)

    def longest() -> int:
        return max(costs(model, [trees[index] for index in indexes]))

    totals = attempt() if is_sharded(model.network) else within_budget(attempt, [optimiser], budget, longest)
    team.add_gradients(optimiser.replicated)
    return team.add(totals)


def within_budget(
    attempt: Callable[[], Result], optimisers: Sequence[AdamW], budget: TokenBudget, longest: Callable[[], int]
) -> Result:
    """What `attempt` returns; whenever memory runs out its gradients are dropped and the budget is halved.

    `longest` counts the tokens of its longest example, below which no budget can go.
    """
    while True:
        try:
            return attempt()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            for optimiser in optimisers:
                optimiser.zero_grad(set_to_none=True)
            budget.halve(longest(), error)


def share_of_gradient(
    loss: Loss,
    model: LanguageModel | RewardModel,
    trees: Sequence[TokenTree],
    indexes: Sequence[int],
    *,
    count: float,
    budget: TokenBudget,
    team: Team,
) -> dict[str, float]:
    """Backward passes over this process's micro-batches; sums of the loss and of what was measured."""
    totals: dict[str, Tensor] = {}
    by_cost = sorted(indexes, key=lambda index: trees[index].num_padded_tokens)
    own = list(groups(model, trees, max_tokens=budget.max_tokens, rows=team.share(by_cost)))
    for _ in range(team.most(len(own)) - len(own) if is_sharded(model.network) else 0):
        summed, _ = loss(by_cost[:1])
        (0.0 * summed).backward()  # the weights are gathered and gradients added up by all at once
    for micro in own:
        summed, measures = loss(micro)
        (summed / count).backward()
        for name, total in {"loss": summed.detach(), **measures}.items():
            totals[name] = totals[name] + total if name in totals else total
    return as_numbers(totals)


def as_numbers(totals: Mapping[str, Tensor]) -> dict[str, float]:
    """Scalars of a device as numbers, fetched together."""
    if not totals:
        return {}
    return dict(zip(totals, torch.stack([total.double() for total in totals.values()]).tolist(), strict=True))
