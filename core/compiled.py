"""Querysets of the hottest paths, compiled to SQL once a process instead of once a call.

Building and compiling a queryset takes Django five times as long as PostgreSQL takes to answer it where one row is
looked up by its key. A compiled query keeps the statement and how its rows become objects; only values change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=Model)
Value = Any  # what a field of Django's takes


class CompiledQuery(Generic[M]):
    """A queryset with named values that are given at every call.

    `build` gets an example of each value, distinct from all others in the query and of the type that the field takes,
    and returns the queryset; `select_related` is kept, `only` and annotations are not supported.
    """

    def __init__(self, build: Callable[..., QuerySet[M]], **examples: Value) -> None:
        self.build, self.examples = build, examples
        self._plan: _Plan | None = None

    def all(self, **values: Value) -> list[M]:
        """Every row."""
        if self._plan is None:
            self._plan = _Plan(self.build(**self.examples), self.examples)
        return self._plan.run(values)

    def first(self, **values: Value) -> M | None:
        """The first row, or None."""
        return next(iter(self.all(**values)), None)


class _Plan:
    """What Django's compiler knows after it has made the statement."""

    def __init__(self, queryset: QuerySet[Any], examples: Mapping[str, Value]) -> None:
        compiler = queryset.query.get_compiler(connection=connection)
        self.sql, parameters = compiler.as_sql()
        self.parameters = [(_name_of(value, examples), value) for value in parameters]
        self.select, self.klass_info = compiler.select, compiler.klass_info
        first, last = self.klass_info["select_fields"][0], self.klass_info["select_fields"][-1]
        self.columns = slice(first, last + 1)
        self.names = [column[0].target.attname for column in self.select[self.columns]]
        # The stubs are those of a later Django.
        self.populators = get_related_populators(self.klass_info, self.select, connection.alias)  # type: ignore[call-arg]
        self.converters = compiler.get_converters([column[0] for column in self.select])

    def run(self, values: Mapping[str, Value]) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, [values[name] if name else fixed for name, fixed in self.parameters])
            rows = cursor.fetchall()
        return [self._object(list(row)) for row in rows]

    def _object(self, row: list[Any]) -> Any:
        for column, (converters, expression) in self.converters.items():
            for convert in converters:
                row[column] = convert(row[column], expression, connection)
        made = self.klass_info["model"].from_db(connection.alias, self.names, row[self.columns])
        for populator in self.populators:
            populator.populate(row, made)
        return made


def _name_of(value: Value, examples: Mapping[str, Value]) -> str:
    """The name of the value that stands at this place of the statement; empty if it never changes."""
    same = [name for name, example in examples.items() if type(value) is type(example) and value == example]
    return same[0] if same else ""
