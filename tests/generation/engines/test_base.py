from __future__ import annotations

from typing import Any

import pytest

from generation.engines.base import SamplingParameters, check_seeds, storable
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
        ("choices", "AB"),
        ("choices", ("A", "")),
        ("choices", ("A", "A")),
        ("num_logprobs", -1),
        ("num_logprobs", 21),
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ParametersInvalid, match=field) as refused:
        SamplingParameters(**{field: value})
    assert isinstance(refused.value, EngineError)


def test_a_list_of_choices_and_a_schema_exclude_each_other() -> None:
    with pytest.raises(ParametersInvalid, match="exclude each other"):
        SamplingParameters(choices=("A", "B"), json_schema={"type": "object"})


@pytest.mark.parametrize(("seeds", "message"), [([1], "got 1 for 2"), ([1, -1], "got -1"), ([1, 2**63], "lie in 0")])
def test_seeds_that_do_not_fit_are_refused(seeds: list[int], message: str) -> None:
    with pytest.raises(ParametersInvalid, match=message):
        check_seeds(seeds, 2)
    check_seeds(None, 2)
    check_seeds([0, 2**63 - 1], 2)


def test_the_limits_themselves_are_allowed() -> None:
    SamplingParameters(temperature=0, top_p=1.0, max_new_tokens=1, seed=2**63 - 1, stop=())


def test_text_is_made_storable_without_touching_the_rest() -> None:
    assert storable("a\0b\ud800c\udfffd 🙂\n\t\x01") == "a\ufffdb\ufffdc\ufffdd 🙂\n\t\x01"
