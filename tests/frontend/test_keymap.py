"""Keys of the labeler's page."""

from itertools import chain
from typing import Any

import pytest

from frontend.keymap import ACTIONS, KeysRefused, chosen_keys, only_changes, parse_keys


def test_the_default_keys_clash_nowhere() -> None:
    keys = list(chain.from_iterable(action.defaults for action in ACTIONS))

    assert len(keys) == len(set(keys))
    assert parse_keys({}) == {action.name: action.defaults for action in ACTIONS}


def test_a_choice_of_keys_comes_back_from_what_is_stored() -> None:
    chosen = parse_keys({"undo": "q", "skip": ["f2"]})

    stored = only_changes(chosen)

    assert stored == {"undo": ["q"], "skip": ["f2"]}
    assert chosen_keys({"keys": stored}) == chosen


def test_two_keys_can_change_places() -> None:
    chosen = parse_keys({"digit_1": "2", "digit_2": "1"})

    assert (chosen["digit_1"], chosen["digit_2"]) == (("2",), ("1",))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"undo": "s"}, "S is used for “back to the last answer” and for “skip, with a reason”"),
        ({"undo": "tab"}, "tab cannot be used for “back to the last answer”"),
        ({"undo": "<script>"}, "<script> cannot be used"),
        ({"undo": ""}, "“back to the last answer” needs 1–3 keys, got 0"),
        ({"undo": "4f 5f"}, "4f cannot be used"),
        ({"undo": [1]}, "must be a list of key names"),
    ],
)
def test_what_cannot_be_is_refused_in_words(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(KeysRefused, match=words):
        parse_keys(raw)


@pytest.mark.parametrize("stored", [None, "z", {"undo": "s"}, {"unknown": ["q"]}])
def test_stored_keys_that_no_longer_fit_are_the_default_ones(stored: Any) -> None:
    assert chosen_keys({"keys": stored}) == parse_keys({})
