"""Form fields for the settings of an algorithm: a type, a default and an explanation in, a field out."""

from __future__ import annotations

from typing import Any

from django import forms

from training.algorithms.settings import Setting

MAX_TEXT = 1000
ACRONYMS = {"kl": "KL", "gae": "GAE", "ppo": "PPO"}


def field_of(setting: Setting) -> forms.Field:
    """A field that gives what the dataclass takes: a number, a text, yes, no or nothing."""
    fixed: dict[str, Any] = {
        "label": label_of(setting.name),
        "help_text": setting.meaning,
        "required": not setting.may_be_null,
    }
    if setting.choices:
        return forms.ChoiceField(choices=[(one, one.replace("_", " ")) for one in setting.choices], **fixed)
    if setting.type is bool and setting.may_be_null:
        choices = [("", "as the algorithm has it"), ("true", "yes"), ("false", "no")]
        return forms.TypedChoiceField(choices=choices, coerce=lambda word: word == "true", empty_value=None, **fixed)
    if setting.type is bool:
        return forms.BooleanField(**{**fixed, "required": False})
    if setting.type is int:
        return forms.IntegerField(**fixed)
    if setting.type is float:
        return forms.FloatField(widget=forms.NumberInput(attrs={"step": "any"}), **fixed)
    return forms.CharField(max_length=MAX_TEXT, empty_value=None if setting.may_be_null else "", **fixed)


def initial_of(setting: Setting, value: Any) -> Any:
    """The value as the field of `field_of` shows it."""
    if setting.type is bool and setting.may_be_null:
        return {None: "", True: "true", False: "false"}[value]
    return value


def label_of(name: str) -> str:
    """`fresh.hidden_size` as "Hidden size"."""
    words = [ACRONYMS.get(word, word) for word in name.rpartition(".")[2].split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])
