"""Label Studio's JSON export: tasks with the annotations of several people (https://labelstud.io/guide/task_format).

Read are the results of the tags Pairwise, Choices, Ranker (with List), Rating and TextArea. The labelling configuration
is not in the export, so the prompt and the replies are recognised by the names of the task's data (`fields`).
"""

from __future__ import annotations

from typing import Any

from annotation.judgment_import.fields import TaskFields, as_text, task_fields
from annotation.judgment_import.labels import label_answer
from annotation.judgment_import.moments import moment_of
from annotation.judgment_import.votes import MAX_REPLIES, ImportedReply, ImportedVote, SourceAnnotator
from core.source_rows import LineMalformed, Row

MAX_LEAD_SECONDS = 24 * 3600


def task_votes(row: Row) -> list[ImportedVote]:
    """The votes of one task: one for each annotation that was not cancelled. Raises `LineMalformed`."""
    data, annotations = row.get("data"), row.get("annotations")
    if not isinstance(data, dict) or not isinstance(annotations, list):
        raise LineMalformed('expected a task with "data" and "annotations"')
    kept = [one for one in annotations if isinstance(one, dict) and not one.get("was_cancelled") and one.get("result")]
    if not kept:
        return []
    ids, task = _task(data, kept)
    return [_vote(annotation, task, ids) for annotation in kept]


def _task(data: Row, annotations: list[Row]) -> tuple[list[str], TaskFields]:
    """The ids of a ranker's items, if there are any, and prompt and replies."""
    if not any(_results(annotation, "ranker") for annotation in annotations):
        return [], task_fields(data)
    lists = [(name, value) for name, value in data.items() if _is_item_list(value)]
    if len(lists) != 1:
        raise LineMalformed(f"a ranker needs one list of items with ids in the task's data, found {len(lists)}")
    name, items = lists[0]
    if not 1 < len(items) <= MAX_REPLIES:
        raise LineMalformed(f"a ranking has 2 to {MAX_REPLIES} items, {name!r} has {len(items)}")
    texts = tuple(as_text(item.get("body") or item.get("title"), f"item {item['id']!r}") for item in items)
    ids = [str(item["id"]) for item in items]
    rest = {key: value for key, value in data.items() if key != name}
    return ids, TaskFields(messages=task_fields(rest).messages, names=tuple(ids), texts=texts)


def _is_item_list(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "id" in item for item in value)


def _vote(annotation: Row, task: TaskFields, ids: list[str]) -> ImportedVote:
    answer = _answer(annotation, task, ids)
    seconds = annotation.get("lead_time")
    return ImportedVote(
        messages=task.messages,
        replies=tuple(ImportedReply(text=text) for text in task.texts),
        answer=answer,
        annotator=_annotator(annotation.get("completed_by")),
        source_key=str(annotation.get("id") or annotation.get("unique_id") or ""),
        judged_at=moment_of(annotation.get("updated_at")) or moment_of(annotation.get("created_at")),
        total_ms=round(1000 * min(seconds, MAX_LEAD_SECONDS)) if isinstance(seconds, int | float) else 0,
    )


def _answer(annotation: Row, task: TaskFields, ids: list[str]) -> dict[str, Any]:
    answer = _order(annotation, task, ids)
    ratings = _ratings(annotation, task)
    if ratings:
        answer["ratings"] = ratings
        answer.setdefault("tiers", None)
    if rationale := "\n".join(_texts(annotation)):
        answer["rationale"] = rationale
    if not answer.keys() - {"rationale"}:
        raise LineMalformed(
            f"annotation {annotation.get('id')!r} compares nothing: expected a result of Pairwise, Choices, Ranker or "
            "Rating"
        )
    return answer


def _order(annotation: Row, task: TaskFields, ids: list[str]) -> dict[str, Any]:
    for value in _results(annotation, "ranker"):
        return _ranked(value.get("ranker"), ids)
    for value in _results(annotation, "pairwise"):
        side = value.get("selected")
        if side not in {"left", "right"} or len(task.names) != 2:
            raise LineMalformed(f"a pairwise result selects left or right of two replies, got {side!r}")
        return {"tiers": [[0], [1]] if side == "left" else [[1], [0]]}
    chosen = [value.get("choices") for value in _results(annotation, "choices")]
    if not chosen or len(task.names) < 2:
        return {}
    if not isinstance(chosen[0], list) or len(chosen[0]) != 1:
        raise LineMalformed(f"one choice decides a comparison, got {chosen[0]!r}")
    return label_answer(str(chosen[0][0]), task)


def _ranked(value: object, ids: list[str]) -> dict[str, Any]:
    """A ranker's list of ids, best first; what stayed in the list of a ranker with one bucket is unranked."""
    if isinstance(value, dict):
        buckets = {name: ranked for name, ranked in value.items() if name != "_"}
        if len(buckets) != 1:
            raise LineMalformed(f"items in {len(buckets)} buckets have no one order; expected a ranker with one")
        value = next(iter(buckets.values()))
    if not isinstance(value, list) or len(set(map(str, value))) != len(value) or not {*map(str, value)} <= {*ids}:
        raise LineMalformed(f"a ranker's result must name items of the task once each, got {str(value)[:100]}")
    ranked = [ids.index(str(item)) for item in value]
    unranked = [place for place in range(len(ids)) if place not in ranked]
    tiers = {"tiers": [[place] for place in ranked]}
    return {**tiers, "unranked": unranked} if unranked else tiers


def _ratings(annotation: Row, task: TaskFields) -> list[int | None]:
    """A rating for each reply that one names; none at all if no rating names a reply."""
    ratings: list[int | None] = [None] * len(task.names)
    for result in annotation["result"]:
        rating = result["value"].get("rating") if _is_result(result, "rating") else None
        if isinstance(rating, int) and not isinstance(rating, bool):
            names = [str(result.get("to_name", "")), str(result.get("from_name", ""))]
            places = [place for name in names if (place := task.place_of(name)) is not None]
            place = 0 if len(task.names) == 1 else next(iter(places), None)
            if place is not None:
                ratings[place] = rating
    return ratings if any(rating is not None for rating in ratings) else []


def _texts(annotation: Row) -> list[str]:
    texts = [value.get("text") for value in _results(annotation, "textarea")]
    lines = [line for text in texts for line in (text if isinstance(text, list) else [text])]
    return [line for line in lines if isinstance(line, str) and line.strip()]


def _results(annotation: Row, kind: str) -> list[Row]:
    """The values of an annotation's results of one tag."""
    results = annotation["result"]
    if not isinstance(results, list):
        raise LineMalformed('"result" of an annotation must be a list')
    return [result["value"] for result in results if _is_result(result, kind)]


def _is_result(result: object, kind: str) -> bool:
    return isinstance(result, dict) and result.get("type") == kind and isinstance(result.get("value"), dict)


def _annotator(completed_by: object) -> SourceAnnotator:
    """`completed_by` is an id, an e-mail address, or an object with both."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("id") or completed_by.get("email")
    if completed_by in (None, ""):
        return SourceAnnotator(kind="labels", id="unnamed annotators")
    return SourceAnnotator(kind="person", id=str(completed_by))
