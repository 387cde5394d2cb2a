"""One text for one value, so that equal values have equal hashes."""

from __future__ import annotations

import hashlib
import json


def canonical_json(value: object) -> str:
    """JSON with sorted keys, without blanks, in ASCII: lone surrogates are escaped, NaN raises ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def content_hash(value: object) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def drawn_number(*parts: object, below: int) -> int:
    """A number of 0 … below-1 that depends on the parts only: the same in every process and version of Python."""
    return int(content_hash(list(parts))[:16], 16) % below
