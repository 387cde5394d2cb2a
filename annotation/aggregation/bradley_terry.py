"""Bradley–Terry: a utility for each completion of a prompt, from who was preferred to whom; ties by Davidson.

    P(i beats j) = e^(d/2) / Z,   P(tie) = ν / Z,   P(j beats i) = e^(-d/2) / Z,   d = u_i - u_j

with Z the sum of the three numerators. ν = 0 is Bradley and Terry's own model, P(i beats j) = 1 / (1 + e^-d); it has
no ties, so that a tie counts half for each side. ν > 0 is Davidson's: a tie is an outcome of its own, most likely
where |d| < 2 ln ν. Each utility has a N(0, prior_sd²) prior, so that one vote, or a reply that always wins, still
gives finite utilities.

Sources: R. A. Bradley and M. E. Terry, "Rank analysis of incomplete block designs" (1952), equation 1;
R. R. Davidson, "On extending the Bradley–Terry model to accommodate ties" (1970), equation 2.5.

Shapes: B blocks of prompts with the same number of completions; in a block P prompts, N completions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from annotation.aggregation.newton import Floats, Posterior, maximise

PRIOR_SD = 2.0  # annotators who agree on 73 % of pairs imply utilities with a standard deviation of about 1.7

_MAX_ROUNDS = 100


@dataclass(frozen=True, kw_only=True)
class PairCounts:
    """What was said about the completions of P prompts that have N completions each. Counts may be fractions."""

    net_PNN: Floats  # wins of i over j minus wins of j over i
    num_PNN: Floats  # judgments of i and j, ties included; symmetric, 0 on the diagonal
    ties_PNN: Floats  # of these, ties; symmetric


def fit_utilities(counts: PairCounts, *, prior_sd: float = PRIOR_SD, tie_parameter: float = 0.0) -> Posterior:
    """The posterior of the utilities, given Davidson's ν (0: ties are half wins)."""
    half_net_PN = counts.net_PNN.sum(axis=2) / 2
    diagonal = np.arange(half_net_PN.shape[1])

    def slopes(utilities_PN: Floats) -> tuple[Floats, Floats]:
        mean_PNN, variance_PNN = _outcome_moments(utilities_PN, tie_parameter)
        gradient_PN = half_net_PN - (counts.num_PNN * mean_PNN).sum(axis=2)
        information_PNN = -counts.num_PNN * variance_PNN
        information_PNN[:, diagonal, diagonal] -= information_PNN.sum(axis=2)
        return gradient_PN, information_PNN

    return maximise(slopes, start_PN=np.zeros_like(half_net_PN), prior_sd=prior_sd)


def fit_tie_parameter(blocks: Sequence[PairCounts], *, prior_sd: float = PRIOR_SD) -> float:
    """Davidson's ν, one for all prompts: as many ties are expected as were seen.

    Alternates between the utilities given ν and ν given the utilities; the log posterior is concave in both together.
    Half a tie and half a preference between equals are added, so that ν is finite when all or none are ties.
    """
    num_E = np.concatenate([np.zeros(0), *(_upper(block.num_PNN) for block in blocks)])
    num_ties = sum(float(_upper(block.ties_PNN).sum()) for block in blocks)
    tie_parameter = 1.0
    for _ in range(_MAX_ROUNDS):
        utilities = [fit_utilities(block, prior_sd=prior_sd, tie_parameter=tie_parameter) for block in blocks]
        gaps_E = np.concatenate([np.zeros(0), *(_upper(differences(fit.utilities_PN)) for fit in utilities)])
        previous, tie_parameter = tie_parameter, _matching_tie_parameter(gaps_E, num_E, num_ties)
        if abs(np.log(tie_parameter / previous)) < 1e-6:
            break
    return tie_parameter


def differences(utilities_PN: Floats) -> Floats:
    """u_i - u_j [P, N, N]."""
    return utilities_PN[:, :, None] - utilities_PN[:, None, :]


def difference_variances(covariance_PNN: Floats) -> Floats:
    """The variance of u_i - u_j [P, N, N]."""
    own_PN = np.diagonal(covariance_PNN, axis1=1, axis2=2)
    return np.asarray(own_PN[:, :, None] + own_PN[:, None, :] - 2 * covariance_PNN)


def _outcome_moments(utilities_PN: Floats, tie_parameter: float) -> tuple[Floats, Floats]:
    """Mean and variance [P, N, N] of an outcome that counts +1/2 for i, -1/2 for j and 0 for a tie.

    They are the slope of the log normaliser in d, and its curvature: all that the likelihood needs of the model.
    """
    gaps_PNN = differences(utilities_PN)
    if not tie_parameter:
        win_PNN = expit(gaps_PNN)
        return win_PNN - 0.5, win_PNN * (1 - win_PNN)
    weaker_PNN = np.exp(-np.abs(gaps_PNN))  # relative to the stronger side, so that nothing overflows
    total_PNN = 1 + weaker_PNN + tie_parameter * np.sqrt(weaker_PNN)
    mean_PNN = np.sign(gaps_PNN) * (1 - weaker_PNN) / total_PNN / 2
    return mean_PNN, (1 + weaker_PNN) / total_PNN / 4 - mean_PNN**2


def _upper(matrices_PNN: Floats) -> Floats:
    """The cells above the diagonal, in a row."""
    first, second = np.triu_indices(matrices_PNN.shape[1], k=1)
    return matrices_PNN[:, first, second].ravel()


def _matching_tie_parameter(gaps_E: Floats, num_E: Floats, num_ties: float) -> float:
    """ν at which the expected number of ties, which rises with ν, is `num_ties`. By bisection of ln ν."""
    # P(tie) = ν / (ν + 2 cosh(d/2)) = expit(ln ν - ln(2 cosh(d/2))).
    is_judged_E = num_E > 0
    num_E, log_rivals_E = num_E[is_judged_E], np.logaddexp(gaps_E[is_judged_E] / 2, -gaps_E[is_judged_E] / 2)
    num_E, log_rivals_E = np.append(num_E, 1.0), np.append(log_rivals_E, np.log(2.0))
    share = (num_ties + 0.5) / num_E.sum()
    # The answer lies between those for all pairs as close, and as far apart, as the closest and the farthest.
    low, high = logit(share) + log_rivals_E.min(), logit(share) + log_rivals_E.max()
    while high - low > 1e-9:
        middle = (low + high) / 2
        expected = float(num_E @ expit(middle - log_rivals_E))
        low, high = (middle, high) if expected < num_ties + 0.5 else (low, middle)
    return float(np.exp((low + high) / 2))
