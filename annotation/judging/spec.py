"""What a judge is, without its model: protocol, template and parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from annotation.judging.canonical import content_hash
from annotation.judging.templates import Template, TemplateInvalid

Orders = Literal["both", "balanced"]
Combine = Literal["vote", "mean"]
Conflict = Literal["tie", "abstain", "keep_both", "mean"]

MAX_SAMPLES = 64
MAX_NEW_TOKENS = 32_768
MAX_PARTS = 50  # principles, aspects or criteria
CHOICES: dict[str, tuple[str, ...]] = {
    "orders": get_args(Orders),
    "combine": get_args(Combine),
    "conflict": get_args(Conflict),
}


class SpecInvalid(ValueError):
    """The parts of a judge do not go together; `field` names the one to mend."""

    def __init__(self, message: str, *, field: str = "") -> None:
        self.field = field
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """Something that is rated by itself, such as helpfulness, and what it means."""

    name: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One line of a checklist. A negative weight marks what must not be there."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class JudgeSpec:
    """A judge without its model. Raises SpecInvalid on construction if its fields make no sense by themselves.

    `annotation.judging.make_spec` fills in the protocol's own template and checks the rest.
    """

    protocol: str
    template: Template
    orders: Orders = "both"  # both: each item in an order and its reverse; balanced: one order, balanced over items
    num_samples: int = 1  # replies for each order
    combine: Combine = "vote"  # of samples: most frequent verdict, or mean of probabilities or points
    conflict: Conflict = "tie"  # of orders: tie what they disagree about, give no answer, keep each, or average
    tie_margin: float = 0.0  # differences up to this one tie: points, or probabilities of the two sides
    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 0  # 0: as many as the protocol needs
    num_retries: int = 2  # of a reply that is no verdict
    guidelines: str = ""  # what "better" means here
    points: int = 10  # of a single score, from 1
    aspects: tuple[Aspect, ...] = ()
    aspect_points: int = 5  # from 1
    principles: tuple[str, ...] = ()
    principles_per_item: int = 0  # drawn for each item; 0 asks about all of them
    criteria: tuple[Criterion, ...] = ()
    is_soft: bool = False  # principles only: read the probabilities of the verdict's token
    min_label_mass: float = 0.5  # soft labels: the least probability that the labels must have together

    def __post_init__(self) -> None:
        _check_numbers(self)
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise SpecInvalid(f"{name} must be {' or '.join(allowed)}, got {getattr(self, name)!r}", field=name)
        _check_texts(self)
        if self.num_samples > 1 and self.temperature == 0:
            raise SpecInvalid("several samples at temperature 0 are one and the same: raise it", field="temperature")

    @property
    def hash(self) -> str:
        """SHA-256 of everything that makes the judge, but for its model."""
        return content_hash(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """A JSON object with every field, defaults included."""
        values = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> JudgeSpec:
        """The specification that `to_json` wrote. Raises SpecInvalid for unknown, missing or wrong fields."""
        if unknown := sorted(set(map(str, raw)) - {item.name for item in fields(cls)}):
            raise SpecInvalid(f"unknown fields of a judge: {', '.join(unknown)}", field=unknown[0])
        if missing := [name for name in ("protocol", "template") if name not in raw]:
            raise SpecInvalid(f"{missing[0]} of a judge is missing", field=missing[0])
        values = dict(raw)
        try:
            values["template"] = Template.from_json(_object(raw["template"], "template"))
            for name, kind in (("aspects", Aspect), ("criteria", Criterion)):
                values[name] = tuple(kind(**_object(item, name)) for item in _list(raw.get(name, []), name))
            values["principles"] = tuple(_list(raw.get("principles", []), "principles"))
        except TemplateInvalid as error:
            raise SpecInvalid(str(error), field="template") from None
        except TypeError as error:
            raise SpecInvalid(f"aspects or criteria have other fields than they should: {error}") from None
        return cls(**values)


_RANGES: dict[str, tuple[type, float, float]] = {
    "num_samples": (int, 1, MAX_SAMPLES),
    "tie_margin": (float, 0, 100),
    "temperature": (float, 0, 2),
    "top_p": (float, 1e-6, 1),
    "max_new_tokens": (int, 0, MAX_NEW_TOKENS),
    "num_retries": (int, 0, 10),
    "points": (int, 2, 100),
    "aspect_points": (int, 2, 10),
    "principles_per_item": (int, 0, MAX_PARTS),
    "min_label_mass": (float, 0, 1),
}


def _check_numbers(spec: JudgeSpec) -> None:
    for name, (kind, low, high) in _RANGES.items():
        value = getattr(spec, name)
        is_number = isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not low <= value <= high:
            raise SpecInvalid(f"{name} must be a number in {low:g}–{high:g}, got {value!r}", field=name)
        object.__setattr__(spec, name, kind(value))  # 1 and 1.0 have one hash
    if not isinstance(spec.is_soft, bool):
        raise SpecInvalid(f"is_soft must be true or false, got {spec.is_soft!r}", field="is_soft")


def _check_texts(spec: JudgeSpec) -> None:
    if not isinstance(spec.guidelines, str):
        raise SpecInvalid(f"guidelines must be text, got {spec.guidelines!r}", field="guidelines")
    texts = {
        "principles": list(spec.principles),
        "aspects": [aspect.name for aspect in spec.aspects],
        "criteria": [criterion.text for criterion in spec.criteria],
    }
    for name, values in texts.items():
        if len(values) > MAX_PARTS or not all(isinstance(value, str) and value.strip() for value in values):
            raise SpecInvalid(f"{name} must be {MAX_PARTS} texts at most, none of them empty", field=name)
        if len(set(values)) < len(values):
            raise SpecInvalid(f"{name} must differ from each other", field=name)
    for criterion in spec.criteria:
        weight = criterion.weight
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight) or not weight:
            raise SpecInvalid(
                f"the weight of a criterion must be a number other than 0, got {weight!r}", field="criteria"
            )


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SpecInvalid(f"{name} of a judge must be JSON objects, got {value!r}", field=name)
    return value


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise SpecInvalid(f"{name} of a judge must be a list, got {value!r}", field=name)
    return list(value)
