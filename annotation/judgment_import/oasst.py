"""Open-Assistant's message trees: every set of assistant replies that people ranked is one ranking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from annotation.judgment_import.moments import moment_of
from annotation.judgment_import.votes import MAX_REPLIES, ImportedReply, ImportedVote, SourceAnnotator
from core.source_rows import LineMalformed, Row
from generation.prompt_lines import check_conversation

ROLES = {"prompter": "user", "assistant": "assistant"}
# The ranks in an export are those of all who ranked, already merged.
RANKERS = SourceAnnotator(kind="labels", id="Open-Assistant")


def tree_votes(row: Row) -> list[ImportedVote]:
    """The rankings of one tree; none if nothing in it was ranked. Raises `LineMalformed`."""
    root = row.get("prompt")
    if not isinstance(root, dict):
        raise LineMalformed('expected a message tree with its first message under "prompt"')
    return list(_below(root, []))


def _below(message: dict[str, Any], path: list[dict[str, str]]) -> Iterator[ImportedVote]:
    role, text, replies = message.get("role"), message.get("text"), message.get("replies") or []
    if role not in ROLES or not isinstance(text, str):
        raise LineMalformed(f"message {message.get('message_id')!r} needs a text and the role prompter or assistant")
    if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
        raise LineMalformed(f'"replies" of message {message.get("message_id")!r} must be a list of messages')
    here = [*path, {"role": ROLES[str(role)], "content": text}]
    ranked = [reply for reply in replies if _is_ranked(reply)]
    if role == "prompter" and len(ranked) >= 2:
        yield _ranking(message, here, ranked)
    for reply in replies:
        yield from _below(reply, here)


def _is_ranked(reply: dict[str, Any]) -> bool:
    rank = reply.get("rank")
    is_rank = isinstance(rank, int) and not isinstance(rank, bool)
    return reply.get("role") == "assistant" and is_rank and not reply.get("deleted")


def _ranking(message: dict[str, Any], path: list[dict[str, str]], ranked: list[dict[str, Any]]) -> ImportedVote:
    if len(ranked) > MAX_REPLIES:
        raise LineMalformed(
            f"message {message.get('message_id')!r} has {len(ranked)} ranked replies, at most {MAX_REPLIES} can be kept"
        )
    ranks = sorted({reply["rank"] for reply in ranked})
    return ImportedVote(
        messages=check_conversation(path),
        replies=tuple(
            ImportedReply(text=str(reply.get("text", "")), model=str(reply.get("model_name") or "")) for reply in ranked
        ),
        answer={"tiers": [[n for n, reply in enumerate(ranked) if reply["rank"] == rank] for rank in ranks]},
        annotator=RANKERS,
        is_order_known=False,
        source_key=str(message.get("message_id") or ""),
        judged_at=moment_of(message.get("created_date")),
        tags=(str(message["lang"]),) if message.get("lang") else (),
    )
