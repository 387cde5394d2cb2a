"""Forms in sections: which fields stand together, and when each is shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django import forms
from django.forms.boundfield import BoundField


@dataclass(frozen=True, kw_only=True)
class Row:
    """One field of a form."""

    field: BoundField
    when: str  # as question_editor.js reads it; empty: always

    @property
    def is_check(self) -> bool:
        return isinstance(self.field.field, forms.BooleanField)

    @property
    def is_group(self) -> bool:
        """Several controls under one name."""
        return isinstance(self.field.field.widget, forms.RadioSelect)


@dataclass(frozen=True, kw_only=True)
class Section:
    """Fields under one heading."""

    title: str
    rows: list[Row]

    @property
    def has_errors(self) -> bool:
        return any(row.field.errors for row in self.rows)


def rows_of(form: forms.Form, names: Iterable[str], when: Mapping[str, str]) -> list[Row]:
    """The named fields in this order. Each one is told which text describes it."""
    rows = [Row(field=form[name], when=when.get(name, "")) for name in names]
    for row in rows:
        row.field.field.widget.attrs["aria-describedby"] = f"about-{row.field.name} error-{row.field.name}"
    return rows


def sections_of(form: forms.Form, sections: Mapping[str, Iterable[str]], when: Mapping[str, str]) -> list[Section]:
    """The form's sections in order."""
    return [Section(title=title, rows=rows_of(form, names, when)) for title, names in sections.items()]
