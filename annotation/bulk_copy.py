"""Many new rows at once through PostgreSQL's COPY: several times faster than INSERT, and times may be given.

The rows' ids are drawn beforehand (`next_ids`), so that rows of other tables can refer to them. Unlike `bulk_create`,
`auto_now_add` columns keep the values that they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model
from django.db.models.expressions import DatabaseDefault
from psycopg import sql

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
    prepared: list[tuple[str, Any]] = [(field.attname, field.get_db_prep_save) for field in fields]
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([prepare(getattr(row, name), connection) for name, prepare in prepared])
    for row in rows:
        row._state.adding = False


def _is_left_open(row: Model, field: Any) -> bool:
    """A primary key of None, or a default of the database."""
    value = getattr(row, field.attname)
    return isinstance(value, DatabaseDefault) or (field.primary_key and value is None)
