"""What each layout's rows become."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from annotation.judgment_import import layouts
from annotation.judgment_import.checking import check_vote
from annotation.judgment_import.layouts import LayoutUnknown, detect, read_votes
from annotation.judgment_import.preview import answer_words
from annotation.judgment_import.votes import ImportedVote
from core.source_files import FileUnreadable
from core.source_rows import LineMalformed
from tests.annotation.judgment_import.sources import annotation, as_files, lines, llmfao, message, pair, task, tree

PAIRWISE = {"prompt": "Which?", "answer1": "one", "answer2": "two"}
ITEMS = {
    "prompt": "Order?",
    "items": [{"id": "x", "body": "ex"}, {"id": "y", "title": "why"}, {"id": "z", "body": "zed"}],
}


def votes_of(row: dict[str, Any], layout: str | None = None) -> list[ImportedVote]:
    """The votes of one row, by its own layout. Raises LineMalformed."""
    [read] = read_votes(as_files({"a.jsonl": lines([row])}), layout)
    if read.problem:
        raise LineMalformed(read.problem)
    return list(read.votes)


def words_of(row: dict[str, Any]) -> list[str]:
    """The answers of one row in words, checked against a question."""
    return [answer_words(check_vote(vote)) for vote in votes_of(row)]


def argilla(values: dict[str, Any], *, fields: dict[str, str] | None = None) -> dict[str, Any]:
    """A 2.x record that one user answered."""
    shown = fields or {"instruction": "Say hi", "response-1": "hi", "response-2": "ho"}
    responses = {question: [{"value": value, "user_id": "u-1"}] for question, value in values.items()}
    return {"id": "r1", "fields": shown, "metadata": {}, "suggestions": {}, "responses": responses, "vectors": {}}


# Which layout


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (pair(), "trl"),
        ({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}, "hh_rlhf"),
        (tree(message("prompter", "Hi")), "oasst"),
        (task(PAIRWISE), "label_studio"),
        (argilla({}), "argilla"),
    ],
)
def test_a_layout_is_recognised_by_its_first_readable_row(row: dict[str, Any], name: str) -> None:
    assert detect(as_files({"a.jsonl": "{broken\n" + lines([row])})) == name


def test_an_unknown_layout_names_what_was_seen_and_what_is_known() -> None:
    with pytest.raises(LayoutUnknown, match=r"llmfao.*'colour', 'size'"):
        detect(as_files({"a.jsonl": lines([{"size": 1, "colour": 2}])}))
    with pytest.raises(LayoutUnknown, match="no layout 'csv'; known are"):
        list(read_votes(as_files({"a.jsonl": lines([pair()])}), "csv"))


def test_every_layout_has_a_title() -> None:
    assert set(layouts.TITLES) == {"concord", "oasst", "label_studio", "argilla", "trl", "hh_rlhf", "llmfao"}


# hh-rlhf, TRL


def test_a_pair_says_nothing_about_sides() -> None:
    [vote] = votes_of(pair(chosen="aaa", rejected="bbb"))
    [swapped] = votes_of(pair(chosen="bbb", rejected="aaa"))
    assert vote.replies == swapped.replies
    assert vote.answer["tiers"] == swapped.answer["tiers"][::-1]
    assert vote.annotator.kind == "labels"


# llmfao


def test_a_vote_keeps_sides_models_and_worker() -> None:
    read = list(read_votes(as_files(llmfao([("0", 5, "right"), ("1", 5, "tie")], [("1", "left")]))))
    [first], [second], [judged] = (row.votes for row in read)
    assert [(reply.model, reply.text) for reply in first.replies] == [("Ant", "By Ant."), ("Bee", "By Bee.")]
    assert (first.answer, first.annotator.kind, first.annotator.id) == ({"tiers": [[1], [0]]}, "person", "5")
    assert [(reply.model, reply.text) for reply in second.replies] == [("Cat", ""), ("Ant", "By Ant.")]
    assert second.answer == {"tiers": [[0, 1]]}
    assert (judged.annotator.kind, judged.annotator.id, judged.answer) == ("judge", "GPT-4", {"tiers": [[0], [1]]})
    assert (first.messages[-1]["content"], first.tags) == ("A haiku?", ("writing",))


@pytest.mark.parametrize(
    ("vote", "reason"),
    [
        ("9,5,left,Ant,Bee", "no file of pairs has the pair '9'"),
        ("0,5,both,Ant,Bee", "winner must be left, right or tie, got 'both'"),
        ("0,5,left,Ant,Cat", "pair 0 is of Ant and Bee"),
    ],
)
def test_a_vote_about_something_else_is_malformed(vote: str, reason: str) -> None:
    contents = {**llmfao([]), "crowd-comparisons.csv": f"id,worker,winner,left,right\n{vote}\n"}
    [row] = read_votes(as_files(contents))
    assert reason in row.problem


def test_votes_without_their_texts_are_refused() -> None:
    contents = llmfao([("0", 5, "left")])
    with pytest.raises(FileUnreadable, match=r"hand in pairs-"):
        list(read_votes(as_files({"crowd-comparisons.csv": contents["crowd-comparisons.csv"]})))
    with pytest.raises(LayoutUnknown, match=r"comparisons\.csv"):
        list(read_votes(as_files({"models.jsonl": contents["models.jsonl"]}), "llmfao"))


# Open-Assistant


def test_every_ranked_set_of_a_tree_is_a_ranking_below_its_own_path() -> None:
    deeper = [message("assistant", "d", rank=1), message("assistant", "e", rank=0), message("assistant", "f", rank=1)]
    replies = [
        message("assistant", "b", rank=1, replies=[message("prompter", "more?", rank=0, replies=deeper)]),
        message("assistant", "a", rank=0, model_name="ant"),
        message("assistant", "unranked"),
        message("assistant", "gone", rank=2, deleted=True),
    ]
    first, second = votes_of(
        tree(message("prompter", "Hi", replies=replies, lang="en", created_date="2023-02-01T00:00:00"))
    )
    assert [(reply.text, reply.model) for reply in first.replies] == [("b", ""), ("a", "ant")]
    assert first.answer == {"tiers": [[1], [0]]}
    assert (first.tags, first.judged_at) == (("en",), datetime(2023, 2, 1, tzinfo=UTC))
    assert [turn["content"] for turn in second.messages] == ["Hi", "b", "more?"]
    assert second.answer == {"tiers": [[1], [0, 2]]}  # one rank, one tier


def test_a_tree_in_which_nothing_was_ranked_has_no_vote() -> None:
    assert votes_of(tree(message("prompter", "Hi", replies=[message("assistant", "a", rank=0)]))) == []


@pytest.mark.parametrize(
    "root",
    [
        message("narrator", "Hi"),
        {**message("prompter", "Hi"), "text": None},
        {**message("prompter", "Hi"), "replies": "none"},
        message("prompter", "Hi", replies=[message("assistant", str(n), rank=n) for n in range(10)]),
    ],
)
def test_a_tree_that_is_none_is_malformed(root: dict[str, Any]) -> None:
    with pytest.raises(LineMalformed):
        votes_of({"message_tree_id": "t", "prompt": root})


# Label Studio


def test_a_pairwise_annotation_has_its_annotator_and_times() -> None:
    [vote] = votes_of(
        task(PAIRWISE, annotation(("pairwise", {"selected": "right"}), by={"id": 3, "email": "e@example.org"}))
    )
    assert [reply.text for reply in vote.replies] == ["one", "two"]
    assert vote.answer == {"tiers": [[1], [0]]}
    assert (vote.annotator.kind, vote.annotator.id) == ("person", "3")
    assert (vote.judged_at, vote.total_ms) == (datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC), 4250)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("answer2", "2 > 1"),
        ("A is better", "1 > 2"),
        ("Response 2 is slightly better", "2 > 1"),
        ("right", "2 > 1"),
        ("Tie", "1 = 2"),
        ("both are bad", "1 = 2; both bad"),
        ("Can't say", "can’t judge"),
    ],
)
def test_choices_are_understood(label: str, words: str) -> None:
    assert words_of(task(PAIRWISE, annotation(("choices", {"choices": [label]})))) == [words]


@pytest.mark.parametrize(
    ("ranker", "words"),
    [
        (["y", "z", "x"], "2 > 3 > 1"),
        ({"rank": ["z", "y", "x"]}, "3 > 2 > 1"),
        ({"_": ["x"], "best": ["z", "y"]}, "3 > 2; unranked: 1"),
    ],
)
def test_a_ranker_orders_the_items_of_the_task(ranker: object, words: str) -> None:
    row = task(ITEMS, annotation(("ranker", {"ranker": ranker})))
    assert [reply.text for reply in votes_of(row)[0].replies] == ["ex", "why", "zed"]
    assert words_of(row) == [words]


def test_ratings_and_texts_go_with_the_choice() -> None:
    results = [
        {"type": "pairwise", "to_name": "answer1,answer2", "value": {"selected": "left"}},
        {"type": "rating", "to_name": "answer1", "value": {"rating": 5}},
        {"type": "rating", "to_name": "answer2", "value": {"rating": 2}},
        {"type": "textarea", "to_name": "answer1", "value": {"text": ["Shorter."]}},
    ]
    assert words_of(task(PAIRWISE, annotation(result=results))) == ["1 > 2; points: 5, 2; “Shorter.”"]


def test_cancelled_and_empty_annotations_are_no_votes() -> None:
    cancelled = annotation(("pairwise", {"selected": "left"}), was_cancelled=True)
    assert votes_of(task(PAIRWISE, cancelled, annotation())) == []


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (PAIRWISE, ("pairwise", {"selected": "middle"})),
        (PAIRWISE, ("choices", {"choices": ["purple"]})),
        (PAIRWISE, ("choices", {"choices": ["left", "right"]})),
        (PAIRWISE, ("rectanglelabels", {"x": 1})),
        (ITEMS, ("ranker", {"ranker": ["x", "x"]})),
        (ITEMS, ("ranker", {"ranker": ["x", "other"]})),
        (ITEMS, ("ranker", {"ranker": {"good": ["x"], "bad": ["y"]}})),
        (PAIRWISE, ("ranker", {"ranker": ["x"]})),
        ({"a1": "x", "a2": "y"}, ("pairwise", {"selected": "left"})),
        ({"prompt": "x", "answer1": "y", "answer2": 3}, ("pairwise", {"selected": "left"})),
    ],
)
def test_results_that_compare_nothing_here_are_malformed(
    data: dict[str, Any], result: tuple[str, dict[str, Any]]
) -> None:
    with pytest.raises(LineMalformed):
        words_of(task(data, annotation(result)))


# Argilla


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"best": "response-2"}, "2 > 1"),
        ({"best": "tie"}, "1 = 2"),
        ({"order": ["response-2", "response-1"]}, "2 > 1"),
        ({"order": [{"rank": 1, "value": "response-1"}, {"rank": 1, "value": "response-2"}]}, "1 = 2"),
        ({"order": [{"rank": 2, "value": "response-1"}, {"rank": 1, "value": "response-2"}]}, "2 > 1"),
        ({"rating-1": 3, "rating-2": 7}, "2 > 1; points: 3, 7"),
        ({"best": "response-1", "why": ["clear", "short"]}, "1 > 2; because: clear, short"),
        ({"best": "response-1", "comment": "It is by far the clearer one."}, "1 > 2; “It is by far the clearer one.”"),
    ],
)
def test_questions_of_argilla_are_understood(values: dict[str, Any], words: str) -> None:
    assert words_of(argilla(values)) == [words]


def test_one_reply_with_points_is_a_rating() -> None:
    row = argilla({"quality": 4}, fields={"prompt": "Say hi", "response": "hi"})
    assert words_of(row) == ["1; points: 4"]


def test_an_incomplete_ranking_leaves_the_rest_unranked() -> None:
    shown = {"prompt": "p", **{f"reply_{mark}": f"text {mark}" for mark in "abcd"}}
    ranked = [{"rank": 1, "value": "reply_c"}, {"rank": 2, "value": "reply_a"}, {"rank": None, "value": "reply_b"}]
    assert words_of(argilla({"order": ranked}, fields=shown)) == ["3 > 1; unranked: 2, 4"]


def test_the_older_layout_lists_responses_by_user() -> None:
    def response(user: str, status: str, label: str) -> dict[str, Any]:
        return {
            "user_id": user,
            "status": status,
            "values": {"best": {"value": label}},
            "inserted_at": "2024-01-02T03:04:05",
        }

    row = {
        "fields": {"prompt": "Say hi", "response-1": "hi", "response-2": "ho"},
        "responses": [
            response("u1", "submitted", "response-1"),
            response("u2", "discarded", "response-2"),
            response("u3", "submitted", "tie"),
        ],
    }
    votes = votes_of(row)
    assert [(vote.annotator.id, vote.answer) for vote in votes] == [
        ("u1", {"tiers": [[0], [1]]}),
        ("u3", {"tiers": [[0, 1]]}),
    ]
    assert votes[0].judged_at == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "row",
    [
        argilla({"comment": "nice"}),
        argilla({"stars": 3}),
        argilla({"order": [{"rank": 1, "value": "response-1"}, {"rank": 2, "value": "response-1"}]}),
        argilla({"order": [{"rank": "first", "value": "response-1"}]}),
        argilla({"best": "response-1"}, fields={"response-1": "a", "response-2": "b"}),
        {"fields": {"prompt": "p"}, "responses": "none"},
        {"fields": {"prompt": "p"}, "responses": {"best": ["x"]}},
        {"fields": {"prompt": "p"}, "responses": [{"values": []}, {"values": [1]}]},
    ],
)
def test_records_that_say_nothing_about_replies_are_malformed(row: dict[str, Any]) -> None:
    with pytest.raises(LineMalformed):
        words_of(row)


def test_a_record_that_nobody_answered_has_no_vote() -> None:
    assert votes_of(argilla({})) == []
    assert votes_of({"fields": {"prompt": "p"}, "responses": None}) == []
