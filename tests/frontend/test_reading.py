"""Replies beside each other."""

from frontend.folding import FEWEST_WORDS
from frontend.reading import shown_replies

LONG = " ".join(f"word{number}" for number in range(FEWEST_WORDS))


def test_a_shared_beginning_folds_with_its_count_and_the_rest_is_shown() -> None:
    first, second = shown_replies([f"{LONG}\n\nYes.", f"{LONG}\n\nNo."])

    assert first.first is not None
    assert first.first == second.first
    assert first.first.num_words == FEWEST_WORDS
    assert first.body == '<p dir="auto">Yes.</p>\n'
    assert first.last is None


def test_near_identical_replies_have_their_differences_marked_on_both_sides() -> None:
    first, second = shown_replies(["The <b>cat</b> sat down.", "The <b>dog</b> sat down."])

    assert first.differences == "The &lt;b&gt;<mark>cat</mark>&lt;/b&gt; sat down."
    assert "<mark>dog</mark>" in second.differences
    assert first.share == second.share > 0.8


def test_a_difference_in_blank_space_is_made_visible() -> None:
    first, second = shown_replies(["one two three\nfour", "one two three four"])

    assert '<mark title="a line break">¶\n</mark>' in first.differences
    assert '<mark title="a space">␣ </mark>' in second.differences


def test_unlike_replies_and_more_than_two_have_no_differences() -> None:
    assert [reply.differences for reply in shown_replies(["all of it", "none alike"])] == ["", ""]
    assert [reply.differences for reply in shown_replies(["a b c d", "a b c e", "a b c f"])] == ["", "", ""]


def test_raw_text_is_kept_as_it_came() -> None:
    assert shown_replies(["**a** <i>\u202e"])[0].raw.startswith("**a** &lt;i&gt;<span")


def test_no_reply_and_empty_replies_are_shown_as_such() -> None:
    assert shown_replies([]) == ()
    assert [reply.body for reply in shown_replies(["", ""])] == ["", ""]
