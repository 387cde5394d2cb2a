"""The keys of the labeler's page: what there is to press, and which keys an annotator has chosen instead. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import ConcordError

MAX_KEYS = 3  # of one action
GRACE_MS = 1200  # between a press and its being sent, in one-press mode

NAMED = {"arrowleft", "arrowright", "enter", "backspace", "delete", "insert"} | {f"f{n}" for n in range(1, 13)}
SHOWN = {"arrowleft": "←", "arrowright": "→", "enter": "↵", "backspace": "⌫", "delete": "Del", "insert": "Ins"}


class KeysRefused(ConcordError):
    """The chosen keys cannot go together."""

    status = 422
    title = "These keys cannot be used"


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something that a key does. Widgets know it by its first default key."""

    name: str
    label: str
    defaults: tuple[str, ...]
    group: str


def _group(title: str, *rows: tuple[str, str, tuple[str, ...]]) -> list[Action]:
    return [Action(name=name, label=label, defaults=keys, group=title) for name, label, keys in rows]


ACTIONS: tuple[Action, ...] = (
    *_group(
        "Answer",
        ("prefer_left", "A is better", ("arrowleft",)),
        ("prefer_right", "B is better", ("arrowright",)),
        ("tie", "equally good", ("0", "t")),
        ("both_bad", "both are bad", ("b",)),
        ("cant_judge", "I can’t judge this", ("c",)),
        ("submit", "submit", ("enter",)),
    ),
    *_group(
        "Digits",
        *((f"digit_{digit}", f"the digit {digit}", (str(digit),)) for digit in range(1, 10)),
    ),
    *_group(
        "Ranking",
        ("tie_next", "the next one ties with the last placed", ("=",)),
        ("take_back", "take the last one back", ("backspace",)),
    ),
    *_group(
        "Task",
        ("undo", "back to the last answer", ("z", "u")),
        ("skip", "skip, with a reason", ("s",)),
        ("keep", "hold the task for me longer", ("l",)),
        ("history", "my last answers", ("h",)),
    ),
    *_group(
        "Reading",
        ("prompt", "fold the prompt", ("p",)),
        ("earlier", "earlier turns", ("e",)),
        ("common", "what the replies share", ("f",)),
        ("raw", "raw text or rendered", ("r",)),
        ("differences", "mark differing words", ("d",)),
        ("apart", "scroll apart or together", ("y",)),
        ("reveal", "show what is blurred", ("v",)),
    ),
    *_group(
        "Points and words",
        ("points", "next points to give", ("x",)),
        ("rationale", "say why", ("n",)),
        ("edit", "edit the best reply", ("w",)),
        ("mark", "mark a passage", ("m",)),
    ),
    *_group(
        "Page",
        ("guidelines", "guidelines", ("g",)),
        ("keys", "this list", ("?",)),
        ("settings", "settings", (",",)),
    ),
)
NAMES = {shown: name for name, shown in SHOWN.items()}  # what a settings form shows, read back


def shown_key(key: str) -> str:
    """As it stands on a key cap."""
    return SHOWN.get(key, key.replace("shift+", "⇧").upper())


def chosen_keys(preferences: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Action → keys, the annotator's or the default ones. What is stored but no longer valid counts as not chosen."""
    stored = preferences.get("keys")
    try:
        return parse_keys(stored if isinstance(stored, Mapping) else {})
    except KeysRefused:
        return {action.name: action.defaults for action in ACTIONS}


def parse_keys(raw: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Every action with its keys. Raises KeysRefused naming the key and the two actions that want it."""
    chosen = {action.name: _keys(action, raw.get(action.name)) for action in ACTIONS}
    owners: dict[str, str] = {}
    for action in ACTIONS:
        for key in chosen[action.name]:
            if key in owners:
                raise KeysRefused(
                    f"{shown_key(key)} is used for “{owners[key]}” and for “{action.label}”: "
                    "choose another key for one of them."
                )
            owners[key] = action.label
    return chosen


def only_changes(chosen: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """What differs from the defaults: this is stored, so that new defaults reach everybody else."""
    return {action.name: list(chosen[action.name]) for action in ACTIONS if chosen[action.name] != action.defaults}


def _keys(action: Action, raw: object) -> tuple[str, ...]:
    if raw is None:
        return action.defaults
    words = raw.split() if isinstance(raw, str) else raw
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise KeysRefused(f"The keys of “{action.label}” must be a list of key names.")
    if not words or len(words) > MAX_KEYS:
        raise KeysRefused(f"“{action.label}” needs 1–{MAX_KEYS} keys, got {len(words)}.")
    return tuple(_key(action, NAMES.get(word, word.lower().replace("⇧", "shift+"))) for word in words)


def _key(action: Action, word: str) -> str:
    is_character = len(word) == 1 and word.isprintable() and not word.isspace()
    is_shifted_digit = word.startswith("shift+") and word[6:].isdecimal() and len(word) == 7
    if is_character or is_shifted_digit or word in NAMED:
        return word
    raise KeysRefused(f"{word[:20]} cannot be used for “{action.label}”: take a character, a digit or an arrow.")
