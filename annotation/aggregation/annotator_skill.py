"""Bradley–Terry with the skill of each annotator and a preference for the left: all prompts and annotators at once.

Annotator a prefers completion i to j with the probability σ(z), σ the logistic function and

    z = s_a (u_i - u_j) + x (b + b_a),     x = 1 if i was shown before j, -1 if after it, 0 if that is not known

s_a is the annotator's skill: 1 is the mean of all, 0 answers without regard to the replies, below 0 answers the wrong
way round. b is the left bias that all have in common, b_a what the annotator adds. A tie counts half for each side.
Priors: u ~ N(0, prior_sd²), s_a ~ N(1, skill_sd²), b and b_a ~ N(0, bias_sd²). The skills' mean is held at 1:
otherwise many utilities would shrink and few skills grow, which the priors reward and no vote contradicts.

Skills and biases maximise the posterior with the utilities integrated out, by expectation maximisation: given them,
the utilities have a normal posterior (Laplace's approximation, prompt by prompt); given that, they take a Newton step
on the expected log likelihood, with each d = u_i - u_j at the three nodes of Gauss–Hermite quadrature. A joint mode
would not do: a pair that five people judged agrees with whomever it believes, and belief feeds on itself.

Sources: X. Chen et al., "Pairwise ranking aggregation in a crowdsourced setting" (2013), for annotators' reliability in
Bradley and Terry's model; N. Bugakova et al., "Aggregation of pairwise comparisons with reduction of biases" (2019),
for a position term in each annotator's answer. Both mix the model with other answers; here reliability is the slope
instead, as an item's discrimination is in item response theory, which makes gradients short and skill signed.

Shapes: V votes, I items (a completion of a prompt), A annotators.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from annotation.aggregation.bradley_terry import PRIOR_SD, difference_variances, differences
from annotation.aggregation.newton import Floats, Integers, Posterior, inverse
from annotation.aggregation.prompt_blocks import VoteCells

SKILL_SD = 0.5
BIAS_SD = 0.5  # in the logarithm of the odds: an annotator at +0.5 takes the left of two equal replies in 62 %
MAX_ROUNDS = 200
TOLERANCE = 1e-3  # of the largest change of a parameter in a round; standard errors are larger by far

_LONGEST_STEP = 2.0
_NODES, _NODE_WEIGHTS = (-math.sqrt(3), 0.0, math.sqrt(3)), (1 / 6, 2 / 3, 1 / 6)  # of a standard normal


@dataclass(frozen=True, kw_only=True)
class SkilledVotes:
    """Votes on two completions."""

    cells: Sequence[VoteCells]  # B
    annotators_V: Integers
    outcomes_V: Floats  # 1: the first is better, 0: the second, 1/2: a tie
    sides_V: Floats  # 1: the first was shown before the second, -1: after it, 0: not known
    weights_V: Floats
    num_annotators: int


@dataclass(frozen=True, kw_only=True)
class SkillFit:
    """The mode, and standard errors that hold the other kinds of parameters fixed."""

    posteriors: list[Posterior]  # B, of the utilities
    skills_A: Floats
    skill_errors_A: Floats
    left_biases_A: Floats  # b + b_a
    left_bias_errors_A: Floats  # of b_a
    left_bias: float  # b
    left_bias_error: float
    num_rounds: int
    is_converged: bool


def fit_annotator_skill(
    votes: SkilledVotes,
    *,
    prior_sd: float = PRIOR_SD,
    skill_sd: float = SKILL_SD,
    bias_sd: float = BIAS_SD,
    max_rounds: int = MAX_ROUNDS,
    tolerance: float = TOLERANCE,
) -> SkillFit:
    """Utilities, skills and left biases together."""
    utilities = _Utilities(votes, prior_sd)
    annotators = _Annotators(votes, skill_sd, bias_sd)
    change, num_rounds = np.inf, 0
    while num_rounds < max_rounds and change >= tolerance:
        num_rounds += 1
        skills_V = annotators.skills_A[votes.annotators_V]
        biases_V = votes.sides_V * annotators.left_biases_A[votes.annotators_V]
        moved = utilities.step(*_slopes(votes, skills_V * utilities.gaps_V + biases_V), skills_V)
        change = max(moved, annotators.step(utilities.gaps_V, utilities.gap_sds_V))
    return SkillFit(
        posteriors=utilities.posteriors(),
        skills_A=annotators.skills_A,
        skill_errors_A=annotators.skill_errors_A,
        left_biases_A=annotators.left_biases_A,
        left_bias_errors_A=annotators.left_bias_errors_A,
        left_bias=annotators.left_bias,
        left_bias_error=annotators.left_bias_error,
        num_rounds=num_rounds,
        is_converged=change < tolerance,
    )


def _slopes(votes: SkilledVotes, logits_V: Floats) -> tuple[Floats, Floats]:
    """Slope of the log likelihood in each vote's z, and its information (minus the curvature)."""
    chances_V = expit(logits_V)
    return votes.weights_V * (votes.outcomes_V - chances_V), votes.weights_V * chances_V * (1 - chances_V)


class _Utilities:
    """The utilities of each block, and the difference d = u_first - u_second of each vote."""

    def __init__(self, votes: SkilledVotes, prior_sd: float) -> None:
        self._cells = votes.cells
        self._precision = 1 / prior_sd**2
        self._utilities = [np.zeros(cells.shape[:2]) for cells in votes.cells]
        self._covariances: list[Floats] = []
        self.gaps_V, self.gap_sds_V = np.zeros((2, len(votes.outcomes_V)))

    def step(self, slopes_V: Floats, information_V: Floats, skills_V: Floats) -> float:
        """One Newton step for all prompts; the largest change."""
        pulls_V, information_V = slopes_V * skills_V, information_V * skills_V**2
        self._covariances = []
        longest = 0.0
        for cells, utilities_PN in zip(self._cells, self._utilities, strict=True):
            pulls_PNN = cells.sum(pulls_V)
            gradient_PN = pulls_PNN.sum(axis=2) - pulls_PNN.sum(axis=1) - utilities_PN * self._precision
            covariance_PNN = inverse(self._with_prior(cells.sum(information_V)))
            step_PN = (covariance_PNN @ gradient_PN[..., None])[..., 0].clip(-_LONGEST_STEP, _LONGEST_STEP)
            utilities_PN += step_PN
            self.gaps_V[cells.rows] = differences(utilities_PN).ravel()[cells.cells]
            self.gap_sds_V[cells.rows] = np.sqrt(difference_variances(covariance_PNN)).ravel()[cells.cells]
            self._covariances.append(covariance_PNN)
            longest = max(longest, float(np.abs(step_PN).max(initial=0.0)))
        return longest

    def posteriors(self) -> list[Posterior]:
        """With the covariance that the last step used."""
        return [
            Posterior(utilities_PN=utilities_PN, covariance_PNN=covariance_PNN)
            for utilities_PN, covariance_PNN in zip(self._utilities, self._covariances, strict=True)
        ]

    def _with_prior(self, sums_PNN: Floats) -> Floats:
        both_PNN = sums_PNN + sums_PNN.transpose(0, 2, 1)
        diagonal = np.arange(both_PNN.shape[1])
        information_PNN = -both_PNN
        information_PNN[:, diagonal, diagonal] += both_PNN.sum(axis=2) + self._precision
        return information_PNN


class _Annotators:
    """Skills and left biases."""

    def __init__(self, votes: SkilledVotes, skill_sd: float, bias_sd: float) -> None:
        self._votes = votes
        self._skill_precision, self._bias_precision = 1 / skill_sd**2, 1 / bias_sd**2
        self.skills_A, self.left_biases_A = np.ones(votes.num_annotators), np.zeros(votes.num_annotators)
        self.skill_errors_A, self.left_bias_errors_A = np.zeros((2, votes.num_annotators))
        self.left_bias, self.left_bias_error = 0.0, bias_sd

    def step(self, gaps_V: Floats, gap_sds_V: Floats) -> float:
        """One Newton step for the skills and one for the biases; the largest change."""
        votes = self._votes
        skills_V, biases_V = (column[votes.annotators_V] for column in (self.skills_A, self.left_biases_A))
        rows = np.zeros((4, len(gaps_V)))  # slope and information in the skill, slope and information in the bias
        for node, weight in zip(_NODES, _NODE_WEIGHTS, strict=True):
            at_V = gaps_V + node * gap_sds_V
            slopes_V, information_V = _slopes(votes, skills_V * at_V + votes.sides_V * biases_V)
            slopes_V, information_V = weight * slopes_V, weight * information_V
            for row, numbers_V in zip(
                rows, (slopes_V * at_V, information_V * at_V**2, slopes_V, information_V), strict=True
            ):
                row += numbers_V
        rows[2:] *= votes.sides_V, np.abs(votes.sides_V)
        by_skill, of_skill, by_bias, of_bias = (
            np.bincount(votes.annotators_V, row, votes.num_annotators).astype(np.float64) for row in rows
        )
        skill_step_A = self._step_skills(by_skill, of_skill + self._skill_precision)
        bias_step_A = self._step_biases(by_bias, of_bias)
        return float(np.abs([skill_step_A, bias_step_A]).max(initial=0.0))

    def _step_skills(self, slopes_A: Floats, information_A: Floats) -> Floats:
        """Along the skills whose mean stays 1."""
        slopes_A = slopes_A - (self.skills_A - 1) * self._skill_precision
        multiplier = (slopes_A / information_A).sum() / (1 / information_A).sum() if len(slopes_A) else 0.0
        step_A = ((slopes_A - multiplier) / information_A).clip(-0.5, 0.5)
        self.skills_A = self.skills_A + step_A
        self.skills_A += 1 - self.skills_A.mean() if len(step_A) else 0.0
        self.skill_errors_A = 1 / np.sqrt(information_A)
        return step_A

    def _step_biases(self, slopes_A: Floats, information_A: Floats) -> Floats:
        """The common bias with each annotator's own integrated out of the quadratic model, then each one's own."""
        own_A = self.left_biases_A - self.left_bias
        own_slopes_A = slopes_A - own_A * self._bias_precision
        total_A = information_A + self._bias_precision
        shares_A = information_A / total_A
        precision = (shares_A * self._bias_precision).sum() + self._bias_precision
        common_slope = (slopes_A - shares_A * own_slopes_A).sum() - self.left_bias * self._bias_precision
        common_step = float(np.clip(common_slope / precision, -1, 1))
        step_A = common_step + ((own_slopes_A - information_A * common_step) / total_A).clip(-1, 1)
        self.left_bias += common_step
        self.left_biases_A = self.left_biases_A + step_A
        self.left_bias_error, self.left_bias_errors_A = float(precision**-0.5), 1 / np.sqrt(total_A)
        return step_A
