"""Conversations that already have replies, as lines or as trees, and the prompts in them: turns of the user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

from core.source_rows import LineMalformed, Row
from generation.dialogue_text import is_dialogue, turns_of
from generation.prompt_lines import NewPrompt, check_conversation, clean_text

Turns = Literal["first", "last", "all"]  # which turns of the user become prompts
TURNS: tuple[str, ...] = get_args(Turns)
Messages = list[dict[str, str]]

SHAREGPT_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
    "bot": "assistant", "bing": "assistant", "bard": "assistant", "model": "assistant", "system": "system",
}  # fmt: skip
OASST_ROLES = {"prompter": "user", "assistant": "assistant"}


def prompts_of_line(messages: Sequence[Any], turns: str, **fields: Any) -> list[NewPrompt]:
    """The wanted turns of the user in a conversation, each with what came before it and the reply that followed as
    its reference. Raises `LineMalformed`."""
    places = [place for place, turn in enumerate(messages) if isinstance(turn, dict) and turn.get("role") == "user"]
    if not places:
        raise LineMalformed("no turn is the user's")
    wanted = {"first": places[:1], "last": places[-1:], "all": places}[turns]
    return [
        NewPrompt(
            messages=check_conversation(list(messages[: place + 1])), reference=_reply_after(messages, place), **fields
        )
        for place in wanted
    ]


def sharegpt_prompts(row: Row, turns: str) -> list[NewPrompt]:
    """`{"conversations": [{"from": "human", "value": "…"}, …]}`, or `{"messages": [{"role", "content"}, …]}`."""
    said = row.get("conversations") or row.get("conversation") or row.get("messages")
    if not isinstance(said, list):
        raise LineMalformed('expected a list of turns under "conversations" or "messages"')
    messages = [_sharegpt_turn(turn, number) for number, turn in enumerate(said, start=1)]
    system = row.get("system")
    if isinstance(system, str) and system.strip() and messages and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": system})
    return prompts_of_line(messages, turns)


def _sharegpt_turn(turn: object, number: int) -> dict[str, str]:
    if not isinstance(turn, dict):
        raise LineMalformed(f"turn {number} must be an object")
    role, text = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
    if role not in SHAREGPT_ROLES:
        raise LineMalformed(f"turn {number} is from {role!r}; expected human, gpt or system")
    if not isinstance(text, str):
        raise LineMalformed(f"turn {number} has no text")
    return {"role": SHAREGPT_ROLES[role], "content": text}


def alpaca_prompts(row: Row) -> list[NewPrompt]:
    """Instruction and input are the prompt, output is its reference; self-instruct's `instances` are several."""
    instruction = row.get("instruction")
    if not isinstance(instruction, str):
        raise LineMalformed('"instruction" must be text')
    instances = row.get("instances", [row])
    if not isinstance(instances, list) or not instances or not all(isinstance(one, dict) for one in instances):
        raise LineMalformed('"instances" must be a list of objects')
    return [_alpaca_prompt(row, instruction, instance) for instance in instances]


def _alpaca_prompt(row: Row, instruction: str, instance: dict[str, Any]) -> NewPrompt:
    given, wanted = instance.get("input") or "", instance.get("output") or ""
    if not isinstance(given, str) or not isinstance(wanted, str):
        raise LineMalformed('"input" and "output" must be texts')
    messages = [*_alpaca_history(row), {"role": "user", "content": "\n\n".join(filter(None, (instruction, given)))}]
    return NewPrompt(messages=check_conversation(messages), reference=clean_text(wanted))


def _alpaca_history(row: Row) -> Messages:
    """A system turn and earlier (question, answer) pairs, if the row has them."""
    turns, history = [], row.get("history") or []
    if isinstance(row.get("system"), str) and row["system"].strip():
        turns.append({"role": "system", "content": row["system"]})
    if not isinstance(history, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in history):
        raise LineMalformed('"history" must be a list of [question, answer] pairs')
    for question, answer in history:
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return turns


def pair_prompts(row: Row) -> list[NewPrompt]:
    """What a chosen and a rejected reply answer: "prompt", or the turns that both share."""
    if "prompt" in row:
        return [NewPrompt(messages=check_conversation(row["prompt"]))]
    sides = [_dialogue(row.get(name)) for name in ("chosen", "rejected")]
    shared = []
    for ours, theirs in zip(*sides, strict=False):
        if ours != theirs:
            break
        shared.append(ours)
    if not shared:
        raise LineMalformed("the chosen and the rejected dialogue share no turn")
    return [NewPrompt(messages=check_conversation(shared))]


def _dialogue(value: object) -> list[Any]:
    if isinstance(value, str) and is_dialogue(value):
        return turns_of(value)
    if isinstance(value, list):
        return value
    raise LineMalformed('without a "prompt", both replies must be dialogues: hh-rlhf text or lists of messages')


def oasst_prompts(row: Row, turns: str) -> list[NewPrompt]:
    """The prompter's turns of one message tree; the reference is the reply that people ranked first."""
    root = row.get("prompt")
    if not isinstance(root, dict):
        raise LineMalformed('expected a message tree with its first message under "prompt"')
    if root.get("deleted"):
        return []
    return [found for found, is_last in _below(root, []) if _is_wanted(found, is_last, turns)]


def _is_wanted(prompt: NewPrompt, is_last: bool, turns: str) -> bool:
    if turns == "first":
        return len(prompt.messages) == 1
    return is_last or turns == "all"


def _below(message: dict[str, Any], path: Messages) -> Iterator[tuple[NewPrompt, bool]]:
    """Prompts of this message and those below it, and whether nobody asked anything after it."""
    role, text, replies = message.get("role"), message.get("text"), message.get("replies") or []
    if role not in OASST_ROLES or not isinstance(text, str):
        raise LineMalformed(f"message {message.get('message_id')!r} needs a text and the role prompter or assistant")
    if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
        raise LineMalformed(f'"replies" of message {message.get("message_id")!r} must be a list of messages')
    kept = [reply for reply in replies if not reply.get("deleted")]
    here = [*path, {"role": OASST_ROLES[str(role)], "content": text}]
    below = [found for reply in kept for found in _below(reply, here)]
    if role == "prompter":
        tags = [str(message["lang"])] if message.get("lang") else []
        yield NewPrompt(messages=check_conversation(here), reference=_best(kept), tags=tags), not below
    yield from below


def _best(replies: Sequence[dict[str, Any]]) -> str:
    ranked = [reply for reply in replies if isinstance(reply.get("rank"), int) and reply.get("role") == "assistant"]
    return clean_text(str(min(ranked, key=lambda reply: reply["rank"]).get("text") or "")) if ranked else ""


def _reply_after(messages: Sequence[Any], place: int) -> str:
    following = messages[place + 1] if place + 1 < len(messages) else None
    is_reply = isinstance(following, dict) and following.get("role") == "assistant"
    return clean_text(str(following.get("content") or "")) if is_reply and following else ""
