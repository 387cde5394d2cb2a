from __future__ import annotations

import math

import pytest

from generation.candidate_quality.diversity import distinct_n, diversity_of, mean_distance, self_bleu
from generation.candidate_quality.flags import Flag, flags_of
from generation.candidate_quality.language import language_of
from generation.candidate_quality.lengths import histogram_of, statistics_of
from generation.candidate_quality.repetition import is_looping, repeated_share

ENGLISH = "The sky is blue because of the way in which air scatters the light of the sun."
GERMAN = "Der Himmel ist blau, weil die Luft das Licht der Sonne in alle Richtungen streut."
ASKED = [{"role": "user", "content": "Why is the sky blue on a clear day, and red in the evening?"}]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH, "en"),
        (GERMAN, "de"),
        ("Il cielo è azzurro perché l'aria diffonde la luce del sole in tutte le direzioni.", "it"),
        ("今日はとても良い天気なので、友達と一緒に公園を散歩しました。", "ja"),
        ("raep", None),
        ("1 + 1 = 2, 2 + 2 = 4", None),
        ("```\nimport numpy as np\nfor place in range(10):\n    print(place)\n```", None),
    ],
)
def test_a_language_is_told_where_it_can_be(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "I like tea. " * 12,
        ENGLISH + " and so on and so on and so on and so on and so on and so on and so on and so on",
        "It is " + "very " * 30 + "good",
        "Help" + "!" * 25,
        "Yes" + "s" * 30,
    ],
)
def test_a_loop_is_seen(text: str) -> None:
    assert is_looping(text)


@pytest.mark.parametrize(
    "text", ["", "ha ha ha ha ha ha", ENGLISH, "=" * 60, "1 | 2 | 3\n" + "-" * 40, ENGLISH + "\n" + GERMAN]
)
def test_what_repeats_itself_within_reason_is_no_loop(text: str) -> None:
    assert not is_looping(text)


def test_the_repeated_share_counts_4_grams() -> None:
    assert repeated_share("a b c d a b c d a b c d") == pytest.approx(1 - 4 / 9)  # 9 4-grams, 4 different
    assert repeated_share("a b c") == 0


def test_all_flags_of_a_reply() -> None:
    assert flags_of(ASKED, " \n", "length") == [Flag(kind="empty")]
    assert flags_of(ASKED, ENGLISH, "stop") == []
    assert flags_of(ASKED, GERMAN, "length") == [
        Flag(kind="truncated"),
        Flag(kind="language", detail="de, asked in en"),
    ]
    assert [flag.kind for flag in flags_of(ASKED, "I'm sorry, but I can't help with that. " * 9)] == [
        "refusal",
        "repetition",
    ]


def test_diversity_by_hand() -> None:
    words = [["a", "b"], ["a", "c"], ["a", "b"]]
    assert distinct_n(words, 1) == 3 / 6
    assert distinct_n(words, 2) == 2 / 3
    assert mean_distance(words) == pytest.approx((2 / 3 + 0 + 2 / 3) / 3)


def test_self_bleu_of_equal_and_of_foreign_texts() -> None:
    assert self_bleu([["a", "b", "c", "d", "e"]] * 2) == pytest.approx(1)
    assert self_bleu([["a", "b"], ["c", "d"]]) == 0


def test_self_bleu_by_hand() -> None:
    # "a b c" against "a b d": 1-grams 2/3, 2-grams (1+1)/(2+1), 3-grams (0+1)/(1+1), 4-grams (0+1)/(0+1), no brevity.
    by_hand = math.exp(sum(map(math.log, (2 / 3, 2 / 3, 1 / 2, 1))) / 4)
    assert self_bleu([["a", "b", "c"], ["a", "b", "d"]]) == pytest.approx(by_hand)


def test_diversity_needs_two_texts_and_a_word() -> None:
    assert diversity_of(["a"]) is None
    assert diversity_of(["", "?"]) is None
    found = diversity_of(["the same", "the same"])
    assert found is not None
    assert (found.distinct_1, found.mean_distance) == (0.5, 0)


def test_statistics_of_lengths() -> None:
    found = statistics_of([1, 2, 3, 10])
    assert found is not None
    assert (found.num, found.shortest, found.median, found.mean, found.longest) == (4, 1, 2.5, 4, 10)
    assert found.percentile_90 == pytest.approx(3 + 0.7 * 7)
    assert statistics_of([]) is None


def test_a_histogram_has_round_bins_that_hold_everything() -> None:
    found = histogram_of({"a": [0, 4, 5, 99], "b": []}, max_bins=24)
    assert found.width == 5
    assert [found.counts["a"][place] for place in (0, 1, 19)] == [2, 1, 1]
    assert sum(found.counts["a"]) == 4
    assert histogram_of({}).width == 1
    assert histogram_of({"a": [1]}).counts == {"a": [0, 1]}
