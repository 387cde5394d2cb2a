"""The columns of exported judgments, the same in every format. docs/reference/judgment-export.md explains each."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

Format = Literal["jsonl", "csv", "parquet"]

CONTENT_TYPES: dict[str, str] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
FORMATS: tuple[str, ...] = tuple(CONTENT_TYPES)

# What rows.py puts into each row as JSON text: JSON Lines embed it as it is, CSV shows it as it is.
_JSON = {b"json": b"1"}
_TIERS = pa.list_(pa.list_(pa.int16()))

SCHEMA = pa.schema(
    [
        pa.field("judgment_id", pa.int64()),
        pa.field("campaign_id", pa.int64()),
        pa.field("campaign", pa.string()),
        pa.field("comparison_id", pa.int64()),
        pa.field("prompt_id", pa.int64()),
        pa.field("prompt_fingerprint", pa.string()),
        pa.field("prompt", pa.string(), metadata=_JSON),
        pa.field("completion_ids", pa.list_(pa.int64()), metadata=_JSON),
        pa.field("completions", pa.list_(pa.string()), metadata=_JSON),
        pa.field("models", pa.list_(pa.string()), metadata=_JSON),
        pa.field("display_order", pa.list_(pa.int16()), metadata=_JSON),
        pa.field("tiers", _TIERS, metadata=_JSON),
        pa.field("answer", pa.string(), metadata=_JSON),
        pa.field("annotator", pa.string()),
        pa.field("annotator_kind", pa.string()),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        pa.field("active_ms", pa.int64()),
        pa.field("total_ms", pa.int64()),
        pa.field("question_version", pa.int32()),
        pa.field("guideline_version", pa.int32()),
        pa.field("purpose", pa.string()),
        pa.field("is_current", pa.bool_()),
        pa.field("revises", pa.int64()),
        pa.field("is_adjudicated", pa.bool_()),
        pa.field("consensus_method", pa.string()),
        pa.field("consensus_tiers", _TIERS, metadata=_JSON),
        pa.field("consensus_confidence", pa.float64()),
    ]
)
COLUMNS: tuple[str, ...] = tuple(SCHEMA.names)
JSON_COLUMNS: frozenset[str] = frozenset(field.name for field in SCHEMA if field.metadata == _JSON)
