"""Argilla's records: the feedback datasets of 1.x and `records.to_json` of 2.x.

Both give a record's `fields` and its `responses`. 1.x lists them by user, `[{"user_id", "status", "values": {question:
{"value": …}}}]`; 2.x by question, `{question: [{"value", "user_id"}]}`. Suggestions are a model's guesses, not
judgments: they are passed over.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from annotation.judgment_import.fields import TaskFields, plain, task_fields
from annotation.judgment_import.labels import label_answer
from annotation.judgment_import.moments import moment_of
from annotation.judgment_import.votes import ImportedReply, ImportedVote, SourceAnnotator
from core.source_rows import LineMalformed, Row

UNSUBMITTED = {"discarded", "draft", "pending"}


def record_votes(row: Row) -> list[ImportedVote]:
    """The votes of one record: one for each user who submitted a response. Raises `LineMalformed`."""
    fields, responses = row.get("fields"), row.get("responses")
    if not isinstance(fields, dict):
        raise LineMalformed('expected a record with "fields" and "responses"')
    by_user = _by_user(responses)
    if not by_user:
        return []
    task = task_fields(fields)
    record = str(row.get("id") or row.get("external_id") or row.get("_server_id") or "")
    moment = moment_of(row.get("updated_at")) or moment_of(row.get("inserted_at"))
    return [
        ImportedVote(
            messages=task.messages,
            replies=tuple(ImportedReply(text=text) for text in task.texts),
            answer=_answer(values, task),
            annotator=SourceAnnotator(kind="person", id=user) if user else SourceAnnotator(kind="labels", id="nobody"),
            source_key=record,
            judged_at=moment_of(values.pop("", None)) or moment,
        )
        for user, values in by_user.items()
    ]


def _by_user(responses: object) -> dict[str, dict[str, Any]]:
    """user → {question: value}; under "" the time of the response, where it is known."""
    by_user: dict[str, dict[str, Any]] = defaultdict(dict)
    if isinstance(responses, list):
        for response in responses:
            if not isinstance(response, dict) or not isinstance(response.get("values") or {}, dict):
                raise LineMalformed('each response must be an object with "values"')
            if response.get("status") not in UNSUBMITTED:
                user = str(response.get("user_id") or "")
                for question, value in (response.get("values") or {}).items():
                    by_user[user][question] = value.get("value") if isinstance(value, dict) else value
                if by_user[user]:
                    by_user[user][""] = response.get("updated_at") or response.get("inserted_at")
    elif isinstance(responses, dict):
        for question, given in responses.items():
            for response in given or []:
                if not isinstance(response, dict) or "value" not in response:
                    raise LineMalformed(f'each response to {question!r} must be an object with a "value"')
                if response.get("status") not in UNSUBMITTED:
                    by_user[str(response.get("user_id") or "")][question] = response["value"]
    elif responses is not None:
        raise LineMalformed('"responses" must be a list (1.x) or an object (2.x)')
    return {user: values for user, values in by_user.items() if values}


def _answer(values: dict[str, Any], task: TaskFields) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    ratings: list[int | None] = [None] * len(task.names)
    for question, value in values.items():
        if not question or value is None:
            continue
        if isinstance(value, int) and not isinstance(value, bool):
            ratings[_rated_place(question, task)] = value
        elif isinstance(value, list):
            _add_list(answer, question, value, task)
        elif isinstance(value, str):
            _add_word(answer, value, task)
    if any(rating is not None for rating in ratings):
        answer["ratings"] = ratings
        answer.setdefault("tiers", None)
    if not {"tiers", "cant_judge"} & answer.keys():
        raise LineMalformed(f"no response says which reply is better: {', '.join(filter(None, values)) or 'none'}")
    return answer


def _rated_place(question: str, task: TaskFields) -> int:
    if len(task.names) == 1:
        return 0
    place = task.place_of(question)
    if place is None:
        named = [n for n, name in enumerate(task.names) if plain(name) in plain(question)]
        place = named[0] if len(named) == 1 else None
    if place is None:
        raise LineMalformed(f"the rating question {question!r} names none of the replies {', '.join(task.names)}")
    return place


def _add_list(answer: dict[str, Any], question: str, value: list[Any], task: TaskFields) -> None:
    """A ranking, several labels, or spans (which are passed over: they speak of fields, not of replies)."""
    if value and all(isinstance(item, dict) and "rank" in item and "value" in item for item in value):
        answer.update(_ranked([(item["rank"], str(item["value"])) for item in value], question, task))
    elif len(value) > 1 and all(isinstance(item, str) and task.place_of(item) is not None for item in value):
        answer.update(_ranked([(rank, item) for rank, item in enumerate(value)], question, task))
    elif value and all(isinstance(item, str) for item in value):
        answer.setdefault("reasons", []).extend(value)


def _ranked(ranked: list[tuple[Any, str]], question: str, task: TaskFields) -> dict[str, Any]:
    """(rank, reply's name) → tiers; the same rank is a tie, a rank of null or a missing reply is unranked."""
    tiers: dict[int, list[int]] = defaultdict(list)
    for rank, name in ranked:
        place = task.place_of(name)
        if place is None or any(place in tier for tier in tiers.values()):
            raise LineMalformed(f"the ranking {question!r} must name each reply once, got {name!r}")
        if rank is not None:
            if not isinstance(rank, int) or isinstance(rank, bool):
                raise LineMalformed(f"a rank is a whole number, got {rank!r}")
            tiers[rank].append(place)
    placed = {place for tier in tiers.values() for place in tier}
    unranked = [place for place in range(len(task.names)) if place not in placed]
    order = {"tiers": [sorted(tiers[rank]) for rank in sorted(tiers)]}
    return {**order, "unranked": unranked} if unranked else order


def _add_word(answer: dict[str, Any], value: str, task: TaskFields) -> None:
    """A label that names a reply or a tie; any other text is the rationale."""
    if "tiers" not in answer and len(task.names) > 1 and len(value) <= 60:
        try:
            answer.update(label_answer(value, task))
        except LineMalformed:
            pass
        else:
            return
    texts = [text for text in (answer.get("rationale"), value.strip()) if text]
    if texts:
        answer["rationale"] = "\n".join(texts)
