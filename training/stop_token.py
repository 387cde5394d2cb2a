"""The token that ends a reply, from a model folder's files alone: neither torch nor transformers is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

REPLY = "REPLY-OF-THE-MODEL"


def stop_token_id(folder: Path) -> int | None:
    """The first special token that the chat template puts behind a reply, else the tokenizer's EOS; None if neither."""
    settings, known = _json(folder / "tokenizer_config.json"), _special_tokens(folder)
    behind = _behind_a_reply(folder, settings)
    found = [(behind.index(token), -len(token), number) for token, number in known.items() if token in behind]
    if found:
        return min(found)[2]
    return known.get(_text(settings.get("eos_token")))


def _behind_a_reply(folder: Path, settings: dict[str, Any]) -> str:
    """What the template writes after the last reply; nothing if it cannot be rendered."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = _refuse
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": REPLY}]
    tokens = {name: _text(settings.get(name)) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    try:
        template = environment.from_string(_template(folder, settings))
        rendered = template.render(messages=messages, add_generation_prompt=False, **tokens)
    except (TemplateError, TypeError, ValueError):  # a template that wants more than a question and its reply
        return ""
    return rendered.rpartition(REPLY)[2]


def _template(folder: Path, settings: dict[str, Any]) -> str:
    path = folder / "chat_template.jinja"
    return path.read_text(encoding="utf-8") if path.is_file() else str(settings.get("chat_template") or "")


def _special_tokens(folder: Path) -> dict[str, int]:
    added = _json(folder / "tokenizer.json").get("added_tokens", [])
    return {token["content"]: int(token["id"]) for token in added if token.get("special")}


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _text(token: Any) -> str:
    """Tokenizers name a token by its text, or by an object that holds it."""
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)
