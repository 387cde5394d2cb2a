"""What a prompt is before it is stored, and the rules of its conversation."""

from dataclasses import dataclass, field
from typing import Any

from core.source_rows import LineMalformed

ROLES = {"system", "user", "assistant"}


@dataclass(frozen=True, kw_only=True)
class NewPrompt:
    """A checked prompt that is not in the database yet."""

    messages: list[dict[str, str]]
    reference: str = ""
    tags: list[str] = field(default_factory=list)
    is_sensitive: bool = False


def parse_prompt(row: dict[str, Any]) -> NewPrompt:
    """`{"prompt": "…"}` or `{"messages": […]}`, with optional reference, tags and is_sensitive."""
    if "messages" not in row and "prompt" not in row:
        raise LineMalformed('expected "prompt" or "messages"')
    tags = row.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise LineMalformed('"tags" must be a list of texts')
    reference = row.get("reference") or ""
    if not isinstance(reference, str):
        raise LineMalformed('"reference" must be text')
    return NewPrompt(
        messages=check_conversation(row["messages"] if "messages" in row else row["prompt"]),
        reference=clean_text(reference),
        tags=[clean_text(tag) for tag in tags],
        is_sensitive=bool(row.get("is_sensitive", False)),
    )


def check_conversation(value: object) -> list[dict[str, str]]:
    """A text or a list of `{role, content}` that wants a reply: the last turn must be the user's."""
    turns = [{"role": "user", "content": value}] if isinstance(value, str) else value
    if not isinstance(turns, list) or not turns:
        raise LineMalformed("a prompt must be text or a list of {role, content} messages")
    messages = [_check_turn(turn, number) for number, turn in enumerate(turns, start=1)]
    if messages[-1]["role"] != "user":
        raise LineMalformed(f"the last turn must be the user's, it is the {messages[-1]['role']}'s")
    return messages


def _check_turn(turn: object, number: int) -> dict[str, str]:
    if not isinstance(turn, dict) or not isinstance(turn.get("content"), str):
        raise LineMalformed(f"turn {number} must be an object with a role and a text as content")
    if turn.get("role") not in ROLES:
        raise LineMalformed(f"turn {number} has the role {turn.get('role')!r}; expected system, user or assistant")
    content = clean_text(turn["content"])
    if not content.strip():
        raise LineMalformed(f"turn {number} is empty")
    return {"role": turn["role"], "content": content}


def clean_text(text: str) -> str:
    """Without what PostgreSQL cannot hold: NUL characters and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
