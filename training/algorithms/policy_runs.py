"""What DPO, KTO, ORPO and SimPO share: a policy that starts from the order's model and learns from fixed examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

from training.algorithms.chat import Conversation
from training.algorithms.config import CommonConfig
from training.algorithms.examples import Split
from training.algorithms.gradients import Measures
from training.algorithms.loop import Objective, fit
from training.algorithms.models import LanguageModel, load_language_model, with_adapter
from training.algorithms.pairs import evaluate_pairs
from training.algorithms.samples import write_samples
from training.algorithms.session import Session
from training.algorithms.start import chat_tokeniser, check_context, initial_model, report_truncation
from training.algorithms.tokenisation import ChatTokeniser, TokenTree


class Prompted(Protocol):
    """An example that has a prompt."""

    @property
    def prompt(self) -> Conversation: ...


Example = TypeVar("Example", bound=Prompted)


@dataclass(frozen=True, kw_only=True)
class PolicyRun:
    """A policy with the trees that it learns from; held-out ones come behind those of training."""

    model: LanguageModel
    tokeniser: ChatTokeniser
    trees: list[TokenTree]
    num_train: int
    shown: list[Conversation]  # held-out prompts whose replies are shown at evaluations


def start_policy(
    session: Session,
    config: CommonConfig,
    data: Split[Example],
    trees_of: Callable[[Sequence[Example], ChatTokeniser], list[TokenTree]],
) -> tuple[PolicyRun, list[Example]]:
    """The initial model and the trees of all examples, which are returned in the order of the trees."""
    start = initial_model(session)
    tokeniser = chat_tokeniser(start, config)
    whole = load_language_model(start, dtype=config.dtype, device=session.device)
    model = with_adapter(whole, config.lora, base=start, seed=session.spec.seed)
    check_context(model.network, config)
    examples = data.train + data.held_out[: config.eval_examples]
    run = PolicyRun(
        model=model,
        tokeniser=tokeniser,
        trees=trees_of(examples, tokeniser),
        num_train=len(data.train),
        shown=[example.prompt for example in data.held_out[: config.num_samples]],
    )
    report_truncation(session, tokeniser)
    return run, examples


def count_examples(indexes: Sequence[int]) -> float:
    """The examples of a batch: what a loss per example is divided by."""
    return float(len(indexes))


def fit_policy(
    run: PolicyRun,
    loss: Callable[[Sequence[int]], tuple[Tensor, Measures]],
    config: CommonConfig,
    session: Session,
    *,
    begin_batch: Callable[[Sequence[int]], float] = count_examples,
    begin_evaluation: Callable[[Sequence[int]], object] = count_examples,
) -> None:
    """Train on `loss` of indexes of trees, which gives sums over a micro-batch.

    `begin_batch` sees the indexes of a whole batch before its first micro-batch and returns their count,
    `begin_evaluation` those of all held-out trees.
    """
    held_out = range(run.num_train, len(run.trees))

    def evaluate(step: int) -> dict[str, float]:
        write_samples(session.events, run.model, run.tokeniser, run.shown, step=step)
        if held_out:
            begin_evaluation(held_out)
        return evaluate_pairs(
            lambda indexes: loss([run.num_train + i for i in indexes]),
            run.model,
            run.trees[run.num_train :],
            max_tokens=config.micro_batch_tokens,
        )

    objective = Objective(
        model=run.model,
        tokenizer=run.tokeniser.tokenizer,
        trees=run.trees[: run.num_train],
        count=begin_batch,
        loss=loss,
        evaluate=evaluate,
    )
    fit(objective, config, session)
