"""What a step sees: the options, and what earlier steps made."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import models

from accounts.models import Workspace
from pipeline.models import PipelineRun
from pipeline.options import PipelineOptions

M = TypeVar("M", bound=models.Model)


@dataclass
class Context:
    """Rows that steps hand on, by name; what a step puts is stored with it."""

    run: PipelineRun
    options: PipelineOptions
    known: dict[str, int]  # outputs of the finished steps
    made: dict[str, int] = field(default_factory=dict)  # outputs of this step
    notes: list[str] = field(default_factory=list)  # for the summary of a step that starts no job

    @property
    def workspace(self) -> Workspace:
        return self.run.workspace

    def put(self, name: str, row: models.Model) -> None:
        """Hand a row on under a name."""
        self.made[name] = row.pk

    def get(self, model: type[M], name: str) -> M:
        """The row that this or an earlier step put under the name."""
        row: M = model._default_manager.get(pk=self.made.get(name) or self.known[name])
        return row

    def find(self, model: type[M], name: str) -> M | None:
        """The same, or None if no step has put it."""
        return self.get(model, name) if name in self.made or name in self.known else None

    def free_name(self, model: type[models.Model], wanted: str) -> str:
        """`wanted`, with a number behind it if the workspace has one of that name already."""
        return free_name(model, self.workspace, wanted)

    def named(self, what: str) -> str:
        """A name that says which pipeline made it."""
        return f"{what} · {self.run.name}"


def free_name(model: type[models.Model], workspace: Workspace, wanted: str) -> str:
    """`wanted`, with a number behind it if the workspace has a row of that name already."""
    rows: models.QuerySet[Any] = model._default_manager.filter(workspace=workspace)
    taken = set(rows.filter(name__startswith=wanted).values_list("name", flat=True))
    names = (wanted if number == 1 else f"{wanted} ({number})" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
