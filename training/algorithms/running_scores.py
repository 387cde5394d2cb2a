"""Running mean and variance of a reward model's scores, so that PPO's rewards keep one scale."""

from __future__ import annotations

import torch
from torch import Tensor

NUMBERS = ("score_count", "score_mean", "score_squares")  # their names in a checkpoint's state


def include_scores(numbers: dict[str, float], scores_C: Tensor) -> None:
    """Take new scores into the running statistics. Chan et al.'s parallel update (1979)."""
    count, mean, squares = (numbers.get(name, 0.0) for name in NUMBERS)
    new_count, new_mean = len(scores_C), scores_C.double().mean().item()
    new_squares = (scores_C.double() - new_mean).square().sum().item()
    total, shift = count + new_count, new_mean - mean
    numbers["score_count"] = total
    numbers["score_mean"] = mean + shift * new_count / total
    numbers["score_squares"] = squares + new_squares + shift**2 * count * new_count / total


def normalised_scores(numbers: dict[str, float], scores_C: Tensor, *, clip: float) -> Tensor:
    """(score - running mean) / running deviation, cut at ± clip, shape (C,)."""
    deviation = (numbers["score_squares"] / numbers["score_count"]) ** 0.5
    centred_C = scores_C - numbers["score_mean"]
    return torch.clamp(centred_C / max(deviation, 1e-6), -clip, clip)
