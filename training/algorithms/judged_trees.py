"""What a reward model learns from: prompts with K completions, and what was said about them, from pairs or rankings."""

from __future__ import annotations

from dataclasses import dataclass

from training.algorithms.config import InvalidConfiguration, RewardConfig
from training.algorithms.examples import PreferencePair, RankedReplies, Split, holds_rankings, read_pairs, read_rankings
from training.algorithms.reward_losses import Tiers, ranked_pairs
from training.algorithms.session import Session
from training.algorithms.tokenisation import ChatTokeniser, TokenTree


@dataclass(frozen=True, kw_only=True)
class JudgedPair:
    """What is said about two completions of a tree."""

    chosen: int  # number of the completion in its tree
    rejected: int
    weight: float  # in the loss; the pairs of a ranking share their prompt's weight
    share: float = 1.0  # in what the curves show; those of a prompt sum to 1
    p_chosen: float = 1.0  # probability that the chosen one wins
    p_tied: float = 0.0  # probability of a tie
    margin: float = 0.0  # score by which the chosen one shall lead


@dataclass(frozen=True, kw_only=True)
class JudgedTree:
    """A prompt with K completions and what is said about them."""

    tree: TokenTree
    pairs: list[JudgedPair]
    tiers: Tiers
    weight: float


def read_judged_trees(session: Session, config: RewardConfig, tokeniser: ChatTokeniser) -> Split[JudgedTree]:
    """The run's rows, whichever of the two layouts they have. Raises `InvalidConfiguration` where they do not fit."""
    if holds_rankings(session.data):
        check_settings_for_rankings(config)
        rankings = read_rankings(session.data)
        return without_silent(
            [ranked_tree(item, config, tokeniser) for item in rankings.train],
            [ranked_tree(item, config, tokeniser) for item in rankings.held_out[: config.eval_examples]],
            session,
        )
    check_settings_for_pairs(config)
    pairs = read_pairs(session.data)
    return Split(
        [paired_tree(item, config, tokeniser) for item in pairs.train],
        [paired_tree(item, config, tokeniser) for item in pairs.held_out[: config.eval_examples]],
    )


def check_settings_for_rankings(config: RewardConfig) -> None:
    """Raise `InvalidConfiguration` for a setting that speaks of what only pairs have."""
    for name in ("soft_labels", "margin"):
        if getattr(config, name):
            raise InvalidConfiguration(f"{name} is for pairs, and these rows are rankings. Leave it out.")


def check_settings_for_pairs(config: RewardConfig) -> None:
    """Raise `InvalidConfiguration` for a setting that speaks of what pairs do not have."""
    if config.ranking_loss != "pairs":
        raise InvalidConfiguration("ranking_loss is for rankings, and these rows are pairs. Leave it out.")
    if config.ties != "none" and not config.soft_labels:
        advice = "Set soft_labels, or train on rankings."
        raise InvalidConfiguration(f"ties = {config.ties} needs ties, and hard labels of pairs have none. {advice}")


def paired_tree(pair: PreferencePair, config: RewardConfig, tokeniser: ChatTokeniser) -> JudgedTree:
    """A pair as a tree of two completions. Where ties are an outcome of their own, p_chosen no longer counts them."""
    p_tied = pair.p_tied if config.ties != "none" else 0.0
    said = JudgedPair(
        chosen=0,
        rejected=1,
        weight=pair.weight,
        p_chosen=pair.p_chosen - p_tied / 2 if config.soft_labels else 1.0,
        p_tied=p_tied,
        margin=config.margin * pair.strength,
    )
    tree = tokeniser.tree(pair.prompt, [pair.chosen, pair.rejected])
    return JudgedTree(tree=tree, pairs=[said], tiers=[[0], [1]], weight=pair.weight)


def ranked_tree(ranking: RankedReplies, config: RewardConfig, tokeniser: ChatTokeniser) -> JudgedTree:
    """A ranking as one tree; without a model of ties its tied pairs are left out. Accuracy looks at decided pairs."""
    everything = ranked_pairs(ranking.tiers)
    pairs = [pair for pair in everything if config.ties != "none" or not pair.is_tie]
    shown = [pair for pair in pairs if not pair.is_tie] or pairs
    said = [
        JudgedPair(
            chosen=pair.better,
            rejected=pair.worse,
            weight=ranking.weight / len(pairs),
            share=(pair in shown) / len(shown),
            p_chosen=0.0 if pair.is_tie else 1.0,
            p_tied=1.0 if pair.is_tie else 0.0,
        )
        for pair in pairs
    ]
    tree = tokeniser.tree(ranking.prompt, ranking.completions)
    return JudgedTree(tree=tree, pairs=said, tiers=ranking.tiers, weight=ranking.weight)


def without_silent(train: list[JudgedTree], held_out: list[JudgedTree], session: Session) -> Split[JudgedTree]:
    """The rankings that say something: which of two completions is better, or a tie where ties are modelled."""
    kept = Split([item for item in train if item.pairs], [item for item in held_out if item.pairs])
    num_silent = len(train) + len(held_out) - len(kept.train) - len(kept.held_out)
    if num_silent:
        session.events.log(f"{num_silent} rankings are one big tie, and teach nothing without a model of ties.")
    if not kept.train:
        raise InvalidConfiguration("Every ranking is one big tie. Set ties to rao_kupper or davidson.")
    return kept
