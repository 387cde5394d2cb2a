"""The statement that turns an answer into a judgment: the slot is filled and the row stored, or neither."""

import json
import uuid
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from annotation.models import Judgment

STORE = """
WITH filled AS (
    UPDATE annotation_slot SET judged_at = %(now)s, draft = NULL
    WHERE id = %(slot)s AND annotator_id = %(annotator)s AND token = %(token)s AND judged_at IS NULL
    RETURNING id
)
INSERT INTO annotation_judgment (
    slot_id, comparison_id, annotator_id, purpose, answer, display_order, active_ms, total_ms, question_version,
    guideline_version, idempotency_key, is_current, created_at
)
SELECT filled.id, %(comparison)s, %(annotator)s, %(purpose)s, %(answer)s::jsonb, %(display_order)s, %(active_ms)s,
    %(total_ms)s, %(question_version)s, %(guideline_version)s, %(key)s, TRUE, clock_timestamp()
FROM filled
RETURNING id, created_at
"""


class NotStored(Exception):
    """The lease is not held any more, or the idempotency key is taken; nothing has changed."""


def store(judgment: Judgment, *, token: uuid.UUID | None, now: datetime) -> tuple[int, datetime]:
    """Fill the judgment's slot and store its row; returns id and time. Raises `NotStored`."""
    values: dict[str, Any] = {
        "now": now,
        "slot": judgment.slot_id,
        "annotator": judgment.annotator_id,
        "token": token,
        "comparison": judgment.comparison_id,
        "purpose": judgment.purpose,
        "answer": json.dumps(judgment.answer),
        "display_order": judgment.display_order,
        "active_ms": judgment.active_ms,
        "total_ms": judgment.total_ms,
        "question_version": judgment.question_version,
        "guideline_version": judgment.guideline_version,
        "key": judgment.idempotency_key,
    }
    try:
        return _execute(values)
    except IntegrityError as error:
        raise NotStored from error


def _execute(values: dict[str, Any]) -> tuple[int, datetime]:
    if connection.in_atomic_block:
        with transaction.atomic():  # a savepoint: a taken key must not spoil the transaction around
            return _fetch(values)
    return _fetch(values)


def _fetch(values: dict[str, Any]) -> tuple[int, datetime]:
    with connection.cursor() as cursor:
        cursor.execute(STORE, values)
        row = cursor.fetchone()
    if row is None:
        raise NotStored
    pk, created_at = row
    return pk, created_at
