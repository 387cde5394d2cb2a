"""Newton's method for the utilities of many prompts at once.

Every model of utilities here has a concave log posterior: a log likelihood of differences of utilities, and a normal
prior with mean 0 on each utility. Its maximum is found prompt by prompt, but all prompts step together.

Shapes: P prompts, N completions of a prompt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# utilities [P, N] -> gradient of the log likelihood [P, N] and its information (minus the Hessian) [P, N, N]
Slopes = Callable[[Floats], tuple[Floats, Floats]]

_LONGEST_STEP = 2.0  # in utilities; far from the maximum the quadratic model promises too much
_TOLERANCE = 1e-9
_MAX_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Utilities on the scale of natural logarithms of odds, and how well they are known (Laplace's approximation)."""

    utilities_PN: Floats  # the mode; they sum to 0 in each prompt
    covariance_PNN: Floats  # the inverse of the information there, prior included


def maximise(slopes: Slopes, *, start_PN: Floats, prior_sd: float) -> Posterior:
    """The mode and the Laplace covariance of utilities with a N(0, prior_sd²) prior. Raises ArithmeticError if lost."""
    prior_NN = np.eye(start_PN.shape[1]) / prior_sd**2
    utilities_PN = start_PN
    for _ in range(_MAX_STEPS):
        gradient_PN, information_PNN = slopes(utilities_PN)
        information_PNN = information_PNN + prior_NN
        gradient_PN = gradient_PN - utilities_PN / prior_sd**2
        step_PN = np.linalg.solve(information_PNN, gradient_PN[..., None])[..., 0]
        longest_P1 = np.abs(step_PN).max(axis=1, initial=0.0, keepdims=True)
        if longest_P1.max(initial=0.0) < _TOLERANCE:
            return Posterior(utilities_PN=utilities_PN, covariance_PNN=inverse(information_PNN))
        utilities_PN = utilities_PN + step_PN * (_LONGEST_STEP / np.maximum(longest_P1, _LONGEST_STEP))
    raise ArithmeticError(f"utilities still move after {_MAX_STEPS} Newton steps: are all counts finite?")


def inverse(matrices_PNN: Floats) -> Floats:
    """The inverse of each matrix [P, N, N]."""
    return np.asarray(np.linalg.inv(matrices_PNN), dtype=np.float64)
