"""The training loop of every algorithm that learns from fixed examples: SFT, reward models, DPO."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from training.algorithms.batches import BatchOrder, costs
from training.algorithms.config import CommonConfig
from training.algorithms.devices import peak_memory_mb
from training.algorithms.failures import TrainingFailure
from training.algorithms.gradients import Loss, TokenBudget, accumulate
from training.algorithms.models import LanguageModel, RewardModel
from training.algorithms.optimiser import AdamW, adamw, clipped_step, scheduled_rate
from training.algorithms.preparation import largest_pass, prepare
from training.algorithms.session import Session, Trainables
from training.algorithms.team import Team
from training.algorithms.tokenisation import TokenTree


def no_goal(values: Mapping[str, float]) -> bool:
    """Never reached: the run goes on to its last step."""
    del values
    return False


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What an algorithm supplies to `fit`. Examples are known by their index."""

    model: LanguageModel | RewardModel  # trained: all of its parameters, or its adapter
    tokenizer: PreTrainedTokenizerFast
    trees: Sequence[TokenTree]  # one for each training example
    count: Callable[[Sequence[int]], float]  # what a loss is divided by: pairs, or completion tokens
    loss: Loss
    evaluate: Callable[[int], dict[str, float]]  # held-out measurements after so many steps; may write samples
    is_goal_reached: Callable[[Mapping[str, float]], bool] = no_goal  # of an evaluation: end the run early


def fit(objective: Objective, config: CommonConfig, session: Session) -> None:
    """Train to the end, to the goal, or until stopped; leave checkpoints and events."""
    model, team = objective.model, session.team
    largest = largest_pass(costs(model, objective.trees), config)
    prepare(model.network, config, num_tokens=largest, team=team, report=session.events.log)
    optimiser = adamw(model.trained.values(), learning_rate=config.learning_rate, weight_decay=config.weight_decay)
    trainables = Trainables(model=model, tokenizer=objective.tokenizer, optimisers={"optimizer": optimiser})
    lengths = [tree.num_padded_tokens for tree in objective.trees]  # whatever the layout, so that batches are the same
    order = batch_order(lengths, config, seed=session.spec.seed)
    num_steps = planned_steps(config, order.num_batches)
    budget = TokenBudget(configured=config.micro_batch_tokens, report=session.events.log, numbers=trainables.numbers)
    done = session.resume(trainables)
    if done == 0 and config.eval_every:
        evaluate(objective, session, step=0, num_steps=num_steps)
    while done < num_steps:
        session.stop_if_asked(trainables, step=done)
        batch = order.batch(done)
        values = train_step(objective, optimiser, batch, config, budget, team=team, step=done, num_steps=num_steps)
        done += 1
        if done % config.log_every == 0:
            session.events.step(step=done, num_steps=num_steps, values=values)
        if team.does_any(is_out_of_time(config, session)):
            break
        if is_due(done, config.eval_every) and done < num_steps:
            values = evaluate(objective, session, step=done, num_steps=num_steps)
            if team.does_any(objective.is_goal_reached(values)):
                session.events.log(f"The goal was reached after step {done}.")
                break
        if is_due(done, config.checkpoint_every) and done < num_steps:
            session.save(trainables, step=done)
    evaluate(objective, session, step=done, num_steps=num_steps)
    session.save(trainables, step=done, is_final=True)


def train_step(
    objective: Objective,
    optimiser: AdamW,
    indexes: Sequence[int],
    config: CommonConfig,
    budget: TokenBudget,
    *,
    team: Team,
    step: int,
    num_steps: int,
) -> dict[str, float]:
    """One optimiser step on a batch, in micro-batches whose sums are divided by the whole batch's count."""
    started = time.perf_counter()
    count = objective.count(indexes)
    model, trees = objective.model, objective.trees
    totals = accumulate(objective.loss, model, trees, indexes, optimiser, count=count, budget=budget, team=team)
    values = {name: total / count for name, total in totals.items()}
    check_loss(values["loss"], step=step)
    rate = scheduled_rate(
        step,
        peak=config.learning_rate,
        num_steps=num_steps,
        warmup_steps=config.warmup_steps,
        final=config.final_learning_rate,
    )
    norm = clipped_step(optimiser, learning_rate=rate, max_grad_norm=config.max_grad_norm)
    num_tokens = sum(costs(model, [trees[index] for index in indexes]))
    speed = num_tokens / (time.perf_counter() - started)
    cost = {"tokens_per_second": speed, "memory_mb": peak_memory_mb(model.device)}
    return {**values, "learning_rate": rate, "grad_norm": norm.item(), **cost}


def evaluate(objective: Objective, session: Session, *, step: int, num_steps: int) -> dict[str, float]:
    """Measure on held-out rows and announce it; nothing is announced where there is nothing to measure."""
    with torch.no_grad():
        values = objective.evaluate(step)
    if values:
        session.events.evaluation(step=step, num_steps=num_steps, values=values)
    return values


def batch_order(lengths: Sequence[int], config: CommonConfig, *, seed: int) -> BatchOrder:
    """The order of examples that a configuration asks for."""
    return BatchOrder(
        lengths=lengths, batch_size=config.batch_size, seed=seed, groups_by_length=config.groups_by_length
    )


def planned_steps(config: CommonConfig, num_batches: int) -> int:
    """Optimiser steps of a whole run."""
    planned = config.num_epochs * num_batches
    return planned if config.max_steps is None else min(planned, config.max_steps)


def check_loss(loss: float, *, step: int) -> None:
    """Raise `TrainingFailure` of kind not_a_number unless the loss is finite."""
    if not math.isfinite(loss):
        advice = "Lower learning_rate, or look at the rows of this step."
        raise TrainingFailure("not_a_number", f"The loss of step {step + 1} is {loss}. {advice}")


def is_due(step: int, every: int) -> bool:
    """Whether something done every so many steps is due after `step`; 0 means never."""
    return every > 0 and step % every == 0


def is_out_of_time(config: CommonConfig, session: Session) -> bool:
    """Whether the run's wall time is used up; says so."""
    if config.max_seconds is None or session.seconds < config.max_seconds:
        return False
    session.events.log(f"Ended after {config.max_seconds:.0f} s, as configured.")
    return True
