"""Choices among rows of the workspaces."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Model


class RowChoice(forms.ModelChoiceField):  # type: ignore[type-arg] # of any model
    """One row; where the user has several workspaces, each row says to which it belongs."""

    def __init__(self, queryset: Any, *, names_workspace: bool, **kwargs: Any) -> None:
        self.names_workspace = names_workspace
        super().__init__(queryset, **kwargs)

    def label_from_instance(self, obj: Model) -> str:
        return in_words(obj, names_workspace=self.names_workspace)


class RowChoices(forms.ModelMultipleChoiceField):  # type: ignore[type-arg] # of any model
    """Several rows, as `RowChoice` shows them."""

    def __init__(self, queryset: Any, *, names_workspace: bool, **kwargs: Any) -> None:
        self.names_workspace = names_workspace
        super().__init__(queryset, **kwargs)

    def label_from_instance(self, obj: Model) -> str:
        return in_words(obj, names_workspace=self.names_workspace)


def in_words(row: Any, *, names_workspace: bool) -> str:
    """Its name, and its workspace where that is not clear."""
    return f"{row} · {row.workspace}" if names_workspace else str(row)
