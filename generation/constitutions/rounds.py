"""One round of critique and revision, as conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from generation.constitutions.principles import Principle

Conversation = list[dict[str, str]]


def critique_conversation(messages: Sequence[Mapping[str, str]], reply: str, principle: Principle) -> Conversation:
    """The prompt, the reply, and the request for a critique of it."""
    return [
        *({"role": str(turn["role"]), "content": str(turn["content"])} for turn in messages),
        {"role": "assistant", "content": reply},
        {"role": "user", "content": principle.critique},
    ]


def revision_conversation(
    messages: Sequence[Mapping[str, str]], reply: str, principle: Principle, critique: str
) -> Conversation:
    """The same, the critique, and the request for a revision."""
    return [
        *critique_conversation(messages, reply, principle),
        {"role": "assistant", "content": critique},
        {"role": "user", "content": principle.revision},
    ]
