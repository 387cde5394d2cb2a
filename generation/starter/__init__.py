"""The starter prompt set, made for this project: short instructions whose answers a rule can check.

Everything is drawn from a seed: the same `num_prompts` and `seed` give the same set on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from generation.splits import fingerprint
from generation.starter.kinds import KINDS, Kind

_MAX_REPEATS = 200  # draws of one kind in a row that were all known: the kind has nothing new to give


class StarterSetExhausted(ValueError):
    """More prompts were asked for than the generator can tell apart."""


@dataclass(frozen=True, kw_only=True)
class StarterPrompt:
    """One instruction with its only right answer."""

    messages: list[dict[str, str]]  # one user turn
    reference: str  # one to four words, exactly as a right reply is written
    kind: str


def kind_names() -> tuple[str, ...]:
    """The names of all kinds, in the order in which a set cycles through them."""
    return tuple(kind.name for kind in KINDS)


def generate(*, num_prompts: int, seed: int) -> list[StarterPrompt]:
    """`num_prompts` prompts with different fingerprints, the kinds taken in turn.

    A kind that has nothing new leaves the cycle, so that large sets lean towards the richer kinds.
    Raises StarterSetExhausted once no kind has anything new.
    """
    if num_prompts < 0:
        raise ValueError(f"num_prompts must not be negative, got {num_prompts}")
    rng = Random(seed)  # noqa: S311 - a reproducible draw, nothing secret
    seen: set[str] = set()
    prompts: list[StarterPrompt] = []
    kinds = list(KINDS)
    while len(prompts) < num_prompts:
        if not kinds:
            raise StarterSetExhausted(f"{num_prompts} prompts wanted, only {len(prompts)} differ")
        for kind in list(kinds):
            prompt = _draw_new(kind, rng, seen)
            if prompt is None:
                kinds.remove(kind)
            else:
                prompts.append(prompt)
    return prompts[:num_prompts]


def _draw_new(kind: Kind, rng: Random, seen: set[str]) -> StarterPrompt | None:
    for _ in range(_MAX_REPEATS):
        instruction, answer = kind.write(rng)
        messages = [{"role": "user", "content": instruction}]
        key = fingerprint(messages)
        if key not in seen:
            seen.add(key)
            return StarterPrompt(messages=messages, reference=answer, kind=kind.name)
    return None
