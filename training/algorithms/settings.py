"""The settings of each algorithm as a form can show them: name, type, default, and the comment that explains it.

The comments are read from `config.py` itself, so that page, documentation and code say the same. No torch here.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from training.algorithms import config, presets
from training.algorithms.config import CONFIGS, CommonConfig, Config, config_fields

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {  # of the texts that are one of a few words
    "dtype": config.DTYPES,
    "loss": config.PAIR_LOSS_NAMES,
    "ties": config.TIE_MODEL_NAMES,
    "ranking_loss": config.RANKING_LOSS_NAMES,
    "guards": config.GUARD_NAMES,
    "over_optimisation": config.GUARD_NAMES,
    "rollout_engine": config.ROLLOUT_ENGINE_NAMES,
}


OPTIONAL: Final = ("lora",)  # parts of a configuration that may be null: in a form a switch before their fields


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One field of a configuration; a field of a nested one is named with a dot, as in `fresh.hidden_size`."""

    name: str
    type: type  # bool, int, float or str
    default: Any  # as JSON has it
    meaning: str  # its comment, with the unit
    may_be_null: bool
    choices: tuple[str, ...] = ()
    is_common: bool = False  # whether every algorithm has it


def settings_of(algorithm: str) -> list[Setting]:
    """Every setting of an algorithm, in the order of its dataclass; nested ones follow their field."""
    return list(_settings(CONFIGS[algorithm], prefix=""))


def flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`{"fresh": {"num_layers": 4}}` as `{"fresh.num_layers": 4}`; a part that may be null has a switch."""
    result: dict[str, Any] = {}
    for name, value in fields.items():
        if name in OPTIONAL:
            result[name] = value is not None
            if value is None:
                continue
        result |= {f"{name}.{part}": one for part, one in value.items()} if isinstance(value, dict) else {name: value}
    return result


def nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flat`; of a part that is switched off nothing is left but null."""
    result: dict[str, Any] = {name: None for name in OPTIONAL if fields.get(name) is False}
    for name, value in fields.items():
        group, _, part = name.partition(".")
        if name in OPTIONAL or (part and result.get(group, {}) is None):
            continue
        if part:
            result.setdefault(group, {})[part] = value
        else:
            result[name] = value
    return result


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Complete settings under a name."""

    name: str  # "dialogues_dpo"
    about: str
    fields: Mapping[str, Any]  # as `config_fields` gives them


@functools.cache
def presets_of(algorithm: str) -> tuple[Preset, ...]:
    """The presets that make a configuration of this algorithm."""
    found = []
    for name, make in inspect.getmembers(presets, inspect.isfunction):
        if make.__module__ == presets.__name__ and typing.get_type_hints(make).get("return") is CONFIGS[algorithm]:
            settings: Config = make()
            found.append(Preset(name=name, about=inspect.getdoc(make) or "", fields=config_fields(settings)))
    return tuple(found)


def _settings(cls: type[Any], *, prefix: str) -> Iterator[Setting]:
    hints = typing.get_type_hints(cls)
    common = {field.name for field in dataclasses.fields(CommonConfig)}
    for field in dataclasses.fields(cls):
        hint, may_be_null = _without_null(hints[field.name])
        if dataclasses.is_dataclass(hint):
            if may_be_null:
                yield Setting(
                    name=prefix + field.name,
                    type=bool,
                    default=False,
                    meaning=_meaning(cls, field.name),
                    may_be_null=False,
                    is_common=not prefix and field.name in common,
                )
            yield from _settings(typing.cast(type[Any], hint), prefix=f"{prefix}{field.name}.")
            continue
        yield Setting(
            name=prefix + field.name,
            type=typing.get_origin(hint) or hint,
            default=field.default,
            meaning=_meaning(cls, field.name),
            may_be_null=may_be_null,
            choices=CHOICES.get(field.name, ()),
            is_common=not prefix and field.name in common,
        )


def _without_null(hint: Any) -> tuple[Any, bool]:
    if not isinstance(hint, types.UnionType):
        return hint, False
    (kind,) = (option for option in typing.get_args(hint) if option is not types.NoneType)
    return kind, True


def _meaning(cls: type[Any], name: str) -> str:
    """The comment at the field, in the class that defines it last."""
    comments = _comments()
    return next((comments[base.__name__][name] for base in cls.__mro__ if name in comments.get(base.__name__, {})), "")


@functools.cache
def _comments() -> dict[str, dict[str, str]]:
    """Class → field → what stands behind `#` on its lines."""
    source = inspect.getsource(config)
    lines = source.splitlines()
    return {
        node.name: {
            field.target.id: _comment("\n".join(lines[field.lineno - 1 : field.end_lineno]))
            for field in node.body
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        }
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }


def _comment(text: str) -> str:
    return " ".join(line.partition("  # ")[2].strip() for line in text.splitlines()).strip()
