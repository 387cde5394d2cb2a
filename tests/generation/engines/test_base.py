from __future__ import annotations

from typing import Any

import pytest

from generation.engines.base import SamplingParameters, storable
from generation.engines.errors import EngineError, ParametersInvalid


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_p", 0.0),
        ("top_p", 1.01),
        ("max_new_tokens", 0),
        ("seed", -1),
        ("seed", 2**63),
        ("stop", "END"),
        ("stop", ("END", "")),
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ParametersInvalid, match=field) as refused:
        SamplingParameters(**{field: value})
    assert isinstance(refused.value, EngineError)


def test_the_limits_themselves_are_allowed() -> None:
    SamplingParameters(temperature=0, top_p=1.0, max_new_tokens=1, seed=2**63 - 1, stop=())


def test_text_is_made_storable_without_touching_the_rest() -> None:
    assert storable("a\0b\ud800c\udfffd 🙂\n\t\x01") == "a\ufffdb\ufffdc\ufffdd 🙂\n\t\x01"
