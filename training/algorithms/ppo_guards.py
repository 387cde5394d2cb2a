"""Signs that a PPO run goes wrong while its score still rises: said once each, or ending the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

FIRST: Final = (
    "eos_rate",
    "response_length",
    "entropy",
)  # measurements of the first rollout that later ones are held to
MAX_RATIO_ERROR: Final = 0.1  # of the first minibatch, whose policy is the one that sampled
MIN_EOS_RATE: Final = 0.5  # of the first rollout's
MAX_LENGTH: Final = 2.0  # times the first rollout's
MIN_ENTROPY: Final = 0.25  # of the first rollout's
NUM_HARMFUL: Final = 5  # rollouts in a row whose critic explains less than nothing
JUDGED: Final = ("score", "score_deviation", "judge_score", "judge_deviation")  # where a held-out judge watches
MIN_GAIN: Final = 1.0  # by which the score has risen, in deviations of the first rollout's replies
MIN_JUDGED_GAIN: Final = 0.25  # of it, which the held-out judge has to see too
NUM_FLAT: Final = 3  # rollouts in a row in which it does not


def new_signs(values: Mapping[str, float], numbers: dict[str, float]) -> list[str]:
    """What these measurements of a rollout and its update say for the first time, as sentences.

    `numbers` is the run's state, changed in place: the first rollout's measurements, and which signs were seen.
    """
    for name in FIRST:
        numbers.setdefault(f"first_{name}", values[name])
    if "judge_score" in values:
        for name in JUDGED:
            numbers.setdefault(f"first_{name}", values[name])
        gained, judged = gains(values, numbers)
        is_flat = gained > MIN_GAIN and judged < MIN_JUDGED_GAIN * gained
        numbers["num_flat"] = numbers.get("num_flat", 0.0) + 1 if is_flat else 0.0
    is_harmful = values["explained_variance"] < 0
    numbers["num_harmful"] = numbers.get("num_harmful", 0.0) + 1 if is_harmful else 0.0
    fresh = [(name, text) for name, text in signs(values, numbers) if f"saw_{name}" not in numbers]
    numbers.update({f"saw_{name}": 1.0 for name, _ in fresh})
    return [text for _, text in fresh]


def gains(values: Mapping[str, float], numbers: Mapping[str, float]) -> tuple[float, float]:
    """How far the score and the held-out judge's rose since the first rollout, in deviations of its replies."""
    gained, judged = (
        (values[name] - numbers[f"first_{name}"]) / max(numbers[f"first_{deviation}"], 1e-6)
        for name, deviation in (("score", "score_deviation"), ("judge_score", "judge_deviation"))
    )
    return gained, judged


def signs(values: Mapping[str, float], numbers: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """(name, sentence) of everything that is wrong now."""
    rate, length, entropy = (numbers[f"first_{name}"] for name in FIRST)
    if abs(values["first_ratio"] - 1) > MAX_RATIO_ERROR:
        ratio = values["first_ratio"]
        yield "ratio", f"The first minibatch has a ratio of {ratio:.2f} instead of 1: the sampler is another policy."
    if values["eos_rate"] < MIN_EOS_RATE * rate:
        yield "eos_rate", f"Replies that end by themselves fell from {rate:.0%} to {values['eos_rate']:.0%}."
    if values["response_length"] > MAX_LENGTH * length:
        yield "length", f"Replies grew from {length:.1f} to {values['response_length']:.1f} tokens."
    if values["entropy"] < MIN_ENTROPY * entropy:
        yield "entropy", f"Entropy fell from {entropy:.2f} to {values['entropy']:.2f} nats a token: replies are alike."
    if numbers["num_harmful"] >= NUM_HARMFUL:
        yield "critic", f"The critic has explained less than nothing of the returns in {NUM_HARMFUL} rollouts in a row."
    if numbers.get("num_flat", 0.0) >= NUM_FLAT:
        gained, judged = gains(values, numbers)
        yield (
            "judge",
            f"The score rose by {gained:.1f} deviations of the first replies', and by {judged:.1f} for the held-out "
            "judge: the reward is optimised beyond what it knows.",
        )
