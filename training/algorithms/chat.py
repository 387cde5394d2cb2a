"""Conversations, and the chat template of models that are built here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

Conversation = Sequence[Mapping[str, str]]  # messages {role, content}, the last from the user

BEGIN_TOKEN: Final = "<|begin|>"  # noqa: S105 - a token of text, not a secret
STOP_TOKEN: Final = "<|end|>"  # noqa: S105 - a token of text, not a secret
PAD_TOKEN: Final = "<|pad|>"  # noqa: S105 - likewise; never the stop token, or models would not learn to stop
ROLE_TOKENS: Final = ("<|system|>", "<|user|>", "<|assistant|>")

# A content that spells one of our tokens is defused here, so that nobody can forge a turn.
CHAT_TEMPLATE: Final = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'].replace('<|', '< |') + eos_token }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def with_reply(conversation: Conversation, reply: str) -> list[dict[str, str]]:
    """The conversation after the assistant said `reply`."""
    return [*(dict(message) for message in conversation), {"role": "assistant", "content": reply}]
