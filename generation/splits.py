"""Which prompts are held out: the prompt itself decides, so that it never changes and needs no table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Literal

Split = Literal["train", "held_out"]

_HASH_DIGITS = 13  # 52 bits of the fingerprint decide the split: as many as a float holds exactly


def fingerprint(messages: Sequence[Mapping[str, str]]) -> str:
    """SHA-256 (64 hex digits) of the messages' canonical JSON: sorted keys, no blanks, nothing escaped.

    A lone surrogate, which UTF-8 cannot hold, is hashed in its escaped form instead of raising.
    """
    plain = [dict(message) for message in messages]
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "backslashreplace")).hexdigest()


def split_of(fingerprint: str, held_out_fraction: float) -> Split:
    """ "held_out" for about `held_out_fraction` (0–1) of all fingerprints; a larger one only adds to them."""
    if not 0.0 <= held_out_fraction <= 1.0:
        raise ValueError(f"held_out_fraction must lie in 0–1, got {held_out_fraction}")
    if len(fingerprint) < _HASH_DIGITS:
        raise ValueError(f"a fingerprint has at least {_HASH_DIGITS} hex digits, got {fingerprint!r}")
    position = int(fingerprint[:_HASH_DIGITS], 16) / 16**_HASH_DIGITS
    return "held_out" if position < held_out_fraction else "train"
