"""The gradient of a batch: micro-batches cut by a token budget, halved where memory is short, shared by processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from training.algorithms.batches import costs, groups
from training.algorithms.failures import TrainingFailure, is_out_of_memory
from training.algorithms.models import LanguageModel, RewardModel
from training.algorithms.optimiser import AdamW
from training.algorithms.team import Team
from training.algorithms.tokenisation import TokenTree

Measures = Mapping[str, Tensor]  # sums over the examples (or tokens) of a micro-batch, scalars
Loss = Callable[[Sequence[int]], tuple[Tensor, Measures]]  # numbers of trees to the sum of losses and measurements


@dataclass(kw_only=True)
class TokenBudget:
    """How many tokens a forward pass may compute. It bounds memory and never changes a loss."""

    max_tokens: int
    report: Callable[[str], None]

    def halve(self, longest: int, error: Exception) -> None:
        """Half of it, or `TrainingFailure` of kind out_of_memory if the longest example stood alone already."""
        if self.max_tokens <= longest:
            advice = "Lower max_prompt_tokens or max_completion_tokens, or train on a device with more memory."
            raise TrainingFailure(
                "out_of_memory", f"Memory ran out on a single example of {longest} tokens: {error}. {advice}"
            ) from error
        self.max_tokens = max(longest, self.max_tokens // 2)
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

    When memory runs out the gradient is dropped, the budget is halved and the batch begun again. With several
    processes it is a failure at once: the others wait in the middle of theirs.
    """
    while True:
        try:
            totals = share_of_gradient(loss, model, trees, indexes, count=count, budget=budget, team=team)
            break
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or team.size > 1:
                raise
            optimiser.zero_grad(set_to_none=True)
            budget.halve(max(costs(model, [trees[index] for index in indexes])), error)
    team.add_gradients(optimiser.parameters)
    return team.add(totals)


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
    for micro in groups(model, trees, max_tokens=budget.max_tokens, rows=team.share(by_cost)):
        summed, measures = loss(micro)
        (summed / count).backward()
        for name, total in {"loss": summed.detach(), **measures}.items():
            totals[name] = totals[name] + total if name in totals else total
    return {name: float(total) for name, total in totals.items()}
