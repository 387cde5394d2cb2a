"""What a sampling run asks for, prompt by prompt: the conversation of an arm and its seed. No Django."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

_SEED_BITS = 31  # every server takes seeds of this size


def arm_conversation(messages: Sequence[Mapping[str, str]], system_prompt: str) -> list[dict[str, str]]:
    """The prompt's turns after the arm's system prompt; a system turn of the prompt's own follows it, in one turn."""
    turns = [dict(message) for message in messages]
    if not system_prompt:
        return turns
    if turns and turns[0]["role"] == "system":
        own = turns.pop(0)["content"]
        system_prompt = f"{system_prompt}\n\n{own}"
    return [{"role": "system", "content": system_prompt}, *turns]


def prompt_seed(run_seed: int, fingerprint: str, position: int) -> int:
    """The seed of a prompt's first candidate in the arm at `position`; candidate i of K has this seed + i.

    31 bits of a SHA-256, which depend on nothing else: a resumed run and another order of prompts draw the same.
    """
    key = f"{run_seed}\n{fingerprint}\n{position}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") >> (32 - _SEED_BITS)
