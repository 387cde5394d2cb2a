"""Many new rows at once through PostgreSQL's COPY: several times faster than INSERT, and times may be given.

The rows' ids are drawn beforehand (`next_ids`), so that rows of other tables can refer to them. Unlike `bulk_create`,
`auto_now_add` columns keep the values that they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, TypeVar

from django.db import connection
from django.db.models import JSONField, Model
from django.db.models.expressions import DatabaseDefault
from psycopg import sql
from psycopg.types.json import Jsonb

M = TypeVar("M", bound=Model)


def next_ids(model: type[Model], count: int) -> list[int]:
    """`count` ids of the model's table that nobody else gets."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [model._meta.db_table, model._meta.pk.column, count],
        )
        return [number for (number,) in cursor.fetchall()]


def copy_rows(rows: Sequence[M]) -> None:
    """Store new rows of one model; columns that the first one leaves to the database are left to it."""
    if not rows:
        return
    options = rows[0]._meta
    fields = [field for field in options.concrete_fields if not _is_left_open(rows[0], field)]
    columns = [sql.Identifier(str(field.column)) for field in fields]
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(options.db_table), sql.SQL(", ").join(columns))
    values_of = attrgetter(*(field.attname for field in fields))
    # psycopg adapts every other kind of value by itself, as Django would have it.
    documents = [place for place, field in enumerate(fields) if isinstance(field, JSONField)]
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            values = list(values_of(row))
            for place in documents:
                values[place] = None if values[place] is None else Jsonb(values[place])
            copy.write_row(values)
    for row in rows:
        row._state.adding = False


def _is_left_open(row: Model, field: Any) -> bool:
    """A primary key of None, or a default of the database."""
    value = getattr(row, field.attname)
    return isinstance(value, DatabaseDefault) or (field.primary_key and value is None)
