"""Templates of judges: versioned, hashed, and filled in one pass, so that content is never a placeholder.

What was not written by the operator (the prompt, the replies, the reference) stands between markers that carry a code.
The code is drawn from the hash of that very content: a text that contains its own code cannot be written. Characters
that a reader would not see, and the control tokens of chat templates, are made visible, so that a reply cannot open a
turn of its own or hide instructions from the people who audit the judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.judging.canonical import content_hash

PLACEHOLDERS = frozenset(
    (
        "prompt",
        "replies",
        "question",
        "guidelines",
        "reference",
        "principle",
        "aspect",
        "criteria",
        "code",
        "reply_form",
    )
)
MAX_TEMPLATE_CHARACTERS = 20_000
CODE_DIGITS = 16

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
# Control tokens as they occur in the chat templates of Llama, Qwen, Mistral, Gemma, Phi and DeepSeek.
_CONTROL_TOKEN = re.compile(
    r"<(?=[|｜][^|｜>\n]{1,40}[|｜]>)"
    r"|<(?=/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|think|thinking|tool_call)>)"
    r"|<(?=</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])",
    re.IGNORECASE,
)
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for tab and newline
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # bidirectional controls and invisible blanks
    "\ud800-\udfff"  # lone surrogates
    "\U000e0000-\U000e01ef]"  # tags and the variation selectors in which text can be smuggled
)


class TemplateInvalid(ValueError):
    """A template names a placeholder that does not exist or lacks one that its protocol fills."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """The words around what is judged. Raises TemplateInvalid on construction.

    `system` may be empty, for models without a system role. Placeholders are `{name}` with a name of `PLACEHOLDERS`.
    """

    name: str
    version: int
    system: str
    user: str

    def __post_init__(self) -> None:
        if not self.name or self.version < 1:
            raise TemplateInvalid(f"a template has a name and a version from 1, got {self.name!r} and {self.version}")
        if len(self.system) + len(self.user) > MAX_TEMPLATE_CHARACTERS:
            raise TemplateInvalid(f"a template has {MAX_TEMPLATE_CHARACTERS} characters at most")
        if unknown := sorted(self.placeholders - PLACEHOLDERS):
            raise TemplateInvalid(f"there is no placeholder {{{unknown[0]}}}: {', '.join(sorted(PLACEHOLDERS))}")

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that are filled in."""
        return frozenset(_PLACEHOLDER.findall(self.system + self.user))

    @property
    def hash(self) -> str:
        """SHA-256 of the words: two templates with one hash say the same, whatever their names."""
        return content_hash({"system": self.system, "user": self.user})

    @property
    def label(self) -> str:
        """Name and version, such as `pairwise_verdict@1`."""
        return f"{self.name}@{self.version}"

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version, "system": self.system, "user": self.user}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Template:
        """The template that `to_json` wrote. Raises TemplateInvalid."""
        types = {"name": str, "version": int, "system": str, "user": str}
        if set(raw) != set(types):
            raise TemplateInvalid(f"a template has {', '.join(types)}, got {', '.join(sorted(map(str, raw)))}")
        for name, kind in types.items():
            if not isinstance(raw[name], kind) or isinstance(raw[name], bool):
                raise TemplateInvalid(f"{name} of a template must be {kind.__name__}, got {raw[name]!r}")
        return cls(**raw)

    def messages(self, values: Mapping[str, str]) -> tuple[dict[str, str], ...]:
        """System and user message with each placeholder replaced once. Raises TemplateInvalid for one without value."""
        parts = [("system", self.system), ("user", self.user)]
        return tuple({"role": role, "content": fill(text, values)} for role, text in parts if text)


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced in one pass; what is put in is never looked at again."""

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise TemplateInvalid(f"nothing fills {{{match[1]}}} here")
        return values[match[1]]

    return _PLACEHOLDER.sub(value_of, text).strip()


def make_code(contents: Sequence[str]) -> str:
    """A code of 16 hexadecimal digits for the markers around `contents`, in none of which it occurs."""
    attempt = 0
    while True:
        code = content_hash(["marker", attempt, *contents])[:CODE_DIGITS]
        if not any(code in content.lower() for content in contents):
            return code
        attempt += 1


def enclose(title: str, content: str, code: str) -> str:
    """Content between markers: `<<<REPLY A 0f…>>>`, the text, `<<<END OF REPLY A 0f…>>>`."""
    return f"<<<{title.upper()} {code}>>>\n{inert(content)}\n<<<END OF {title.upper()} {code}>>>"


def inert(content: str) -> str:
    """The text with hidden characters shown as ⟨U+202E⟩ and control tokens of chat templates broken by a blank."""
    shown = _HIDDEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", content.replace("\r\n", "\n"))
    return _CONTROL_TOKEN.sub(lambda match: f"{match[0]} ", shown)


def conversation_text(messages: Sequence[Mapping[str, str]]) -> str:
    """A prompt as one text; with several messages each begins with its role."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in messages)
