"""Replies that the starter model learns to imitate, of mixed quality as real demonstrations are.

Most are the right answer and nothing else. A stated share wraps it in words that nobody asked for: that is what
preferences can mend, because everybody who judges prefers the plain answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from generation.starter import StarterPrompt

# Where the answer goes is marked by {}. All of them are longer than they should be; none is wrong.
CARELESS = (
    "I think it is {}",
    "Sure! The answer is {}",
    "Well, maybe {} or so",
    "My guess would be {} here",
)


def demonstrate(prompts: Sequence[StarterPrompt], *, careless_share: float, seed: int) -> list[str]:
    """A reply to each prompt, `careless_share` (0 to 1) of them wordy."""
    if not 0 <= careless_share <= 1:
        raise ValueError(f"careless_share must lie in 0–1, got {careless_share}")
    rng = Random(seed)  # noqa: S311 - a reproducible draw, nothing secret
    return [_reply(prompt.reference, rng, careless_share) for prompt in prompts]


def _reply(answer: str, rng: Random, careless_share: float) -> str:
    wording = rng.choice(CARELESS)
    return wording.format(answer) if rng.random() < careless_share else answer
