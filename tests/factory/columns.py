"""The columns of jobs and the rows of datasets."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from core.models import Job

STARTED_AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def job_columns(status: str) -> dict[str, Any]:
    """The columns of a job in this state."""
    columns: dict[str, Any] = {"status": status, "queued_at": STARTED_AT}
    if status != Job.Status.QUEUED:
        columns |= {"attempt": 1, "claimed_by": "host:1", "started_at": STARTED_AT, "num_done": 5, "num_total": 10}
        columns["heartbeat_at"] = timezone.now()
    if status in {Job.Status.FINISHED, Job.Status.FAILED, Job.Status.CANCELLED}:
        columns |= {"finished_at": STARTED_AT + timedelta(minutes=2), "num_done": 10}
    if status == Job.Status.FAILED:
        columns |= {"failure_kind": "data_error", "error": "Row 3 has no text."}
    return columns


def preference_rows(num_rows: int) -> list[dict[str, Any]]:
    """Rows of a preference dataset, every fourth one held out."""
    return [
        {
            **_prompt_columns(n),
            "chosen": str(n + 1),
            "rejected": str(n + 2),
            "chosen_id": 2 * n + 1,
            "rejected_id": 2 * n + 2,
            "votes_chosen": 2,
            "votes_rejected": 0,
            "votes_tied": 0,
            "p_chosen": 1.0,
            "strength": None,
            "weight": 1.0,
            "judgment_ids": [n + 1],
            "annotators": ["somebody"],
            "is_adjudicated": False,
            "confidence": None,
        }
        for n in range(num_rows)
    ]


def ranking_rows(num_rows: int) -> list[dict[str, Any]]:
    """Rows of a dataset of rankings, every fourth one held out."""
    return [
        {
            **_prompt_columns(n),
            "completions": [str(n), str(n + 1), str(n + 2)],
            "tiers": [[1], [0, 2]],
            "completion_ids": [3 * n + 1, 3 * n + 2, 3 * n + 3],
            "weight": 1.0,
            "judgment_ids": [n + 1],
            "annotators": ["somebody"],
            "is_adjudicated": False,
            "confidence": None,
        }
        for n in range(num_rows)
    ]


def label_rows(num_rows: int) -> list[dict[str, Any]]:
    """Rows of a dataset of labels, every fourth one held out."""
    return [
        {
            **_prompt_columns(n),
            "completion": str(n + 1 + n % 2),
            "completion_id": n + 1,
            "label": n % 2 == 0,
            "p_desirable": float(n % 2 == 0),
            "weight": 1.0,
            "judgment_ids": [n + 1],
            "annotators": ["somebody"],
        }
        for n in range(num_rows)
    ]


def demonstration_rows(num_rows: int) -> list[dict[str, Any]]:
    """Rows of a dataset of demonstrations, every fourth one held out."""
    return [
        {**_prompt_columns(n), "completion": str(n + 1), "completion_id": None, "judgment_ids": []}
        for n in range(num_rows)
    ]


def _prompt_columns(number: int) -> dict[str, Any]:
    return {
        "group_id": hashlib.sha256(str(number).encode()).hexdigest(),
        "split": "held_out" if number % 4 == 3 else "train",
        "prompt": json.dumps([{"role": "user", "content": f"What is {number} plus 1?"}]),
    }
