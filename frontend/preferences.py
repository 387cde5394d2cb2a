"""What a labeler has chosen for their own page: keys, one-press mode, categories that they will not be shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Func

from annotation.models import Annotator, Comparison
from annotation.opt_outs import SENSITIVE
from frontend import keymap
from frontend.keymap import ACTIONS, Action


@dataclass(frozen=True, kw_only=True)
class ActionKeys:
    """An action and its present keys."""

    action: Action
    keys: tuple[str, ...]

    @property
    def shown(self) -> list[str]:
        return [keymap.shown_key(key) for key in self.keys]

    @property
    def shown_defaults(self) -> list[str]:
        return [keymap.shown_key(key) for key in self.action.defaults]

    def to_json(self) -> dict[str, Any]:
        """As keymap.js reads it."""
        action = self.action
        return {"name": action.name, "label": action.label, "defaults": action.defaults, "keys": self.keys}


@dataclass(frozen=True, kw_only=True)
class Category:
    """A tag of prompts, and whether the annotator is not shown them."""

    name: str
    is_hidden: bool


def action_keys(annotator: Annotator) -> list[ActionKeys]:
    """Every action with the annotator's keys, in the order of the help."""
    chosen = keymap.chosen_keys(annotator.preferences)
    return [ActionKeys(action=action, keys=chosen[action.name]) for action in ACTIONS]


def of_page(annotator: Annotator) -> dict[str, Any]:
    """What labeling.js needs to know beside the keys."""
    return {"one_press": bool(annotator.preferences.get("one_press"))}


def store(annotator: Annotator, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what the settings form sends (`keys-ACTION`, `one_press`). Raises `KeysRefused`."""
    chosen = keymap.parse_keys({action.name: raw.get(f"keys-{action.name}") for action in ACTIONS})
    annotator.preferences = {
        **annotator.preferences,
        "keys": keymap.only_changes(chosen),
        "one_press": raw.get("one_press") == "on",
    }
    annotator.save(update_fields=["preferences"])
    return {**of_page(annotator), "keys": chosen}


def categories_for(annotator: Annotator) -> list[Category]:
    """The tags of what the annotator's campaigns ask about, "sensitive" first."""
    tags = Comparison.objects.filter(campaign__enrolments__annotator=annotator).annotate(
        tag=Func(F("categories"), function="unnest")
    )
    names = {*tags.values_list("tag", flat=True).distinct().order_by(), *annotator.opt_outs} - {SENSITIVE}
    return [Category(name=name, is_hidden=name in annotator.opt_outs) for name in (SENSITIVE, *sorted(names))]
