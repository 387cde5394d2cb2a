"""What several replies have in common at their ends."""

from frontend.folding import FEWEST_WORDS, Fold, common_ends, count_words

LONG = f"<p>{'word ' * FEWEST_WORDS}</p>"
OTHER = f"<p>{'other ' * FEWEST_WORDS}</p>"
NOTHING = Fold(num_first=0, num_last=0)


def test_long_common_ends_fold() -> None:
    assert common_ends([[LONG, "<p>a</p>", OTHER], [LONG, "<p>b</p>", OTHER]]) == Fold(num_first=1, num_last=1)


def test_what_is_common_to_some_replies_only_does_not_fold() -> None:
    assert common_ends([[LONG, "<p>a</p>"], [LONG, "<p>b</p>"], [OTHER, "<p>c</p>"]]) == NOTHING


def test_short_common_ends_stay() -> None:
    assert common_ends([["<p>Sure!</p>", "<p>a</p>"], ["<p>Sure!</p>", "<p>b</p>"]]) == NOTHING


def test_something_of_every_reply_stays() -> None:
    assert common_ends([[LONG], [LONG, "<p>b</p>"]]) == NOTHING
    assert common_ends([[LONG, LONG], [LONG, LONG]]) == Fold(num_first=1, num_last=0)
    assert common_ends([[OTHER, LONG], [LONG]]) == NOTHING


def test_a_single_reply_has_nothing_in_common() -> None:
    assert common_ends([[LONG, LONG]]) == NOTHING
    assert common_ends([]) == NOTHING
    assert common_ends([[], []]) == NOTHING


def test_words_are_counted_without_tags() -> None:
    assert count_words(['<p class="a b">one <em>two</em></p>', "<hr>"]) == 2
