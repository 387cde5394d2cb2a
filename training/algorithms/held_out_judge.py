"""A second reward model that nothing is trained against: it scores what the policy says to held-out prompts.

It reads texts, so that it may have another tokenizer than the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, pstdev

from training.algorithms.chat import Conversation
from training.algorithms.config import PPOConfig
from training.algorithms.over_optimisation import alert_of
from training.algorithms.rollout import Rollout
from training.algorithms.scoring import reward_scorer
from training.algorithms.session import Session
from training.algorithms.tokenisation import ChatTokeniser

Judge = Callable[[Rollout], dict[str, float]]


def held_out_judge(session: Session, tokeniser: ChatTokeniser, conversations: Sequence[Conversation]) -> Judge:
    """What the order's held-out reward model measures of a rollout over these prompts; nothing if there is none."""
    folder = session.spec.held_out_reward_model
    if folder is None or not conversations:
        return lambda rollout: {}
    scorer = reward_scorer(folder)

    def judge(rollout: Rollout) -> dict[str, float]:
        texts = [tokeniser.decode(tree.completions[0]) for tree in rollout.trees]
        judged = [fmean(members) for members in scorer(conversations, texts)]
        return {
            "held_out_score_deviation": pstdev(rollout.scores_C.tolist()),
            "held_out_judge_score": fmean(judged),
            "held_out_judge_deviation": pstdev(judged),
        }

    return judge


def is_ended_by_judge(config: PPOConfig, values: dict[str, float], numbers: dict[str, float], session: Session) -> bool:
    """Whether over-optimisation shall end the run; it is said once, however often it is measured."""
    if config.over_optimisation == "off":
        return False
    text = alert_of(values, numbers, window=config.over_optimisation_window)
    if text is None:
        return False
    session.events.log(f"Alert: {text}")
    if config.over_optimisation == "stop":
        session.events.log("Ended early by the monitor (over_optimisation = stop).")
        return True
    return False
