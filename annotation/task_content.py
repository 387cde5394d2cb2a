"""What a task shows, in one query: the conversation and the replies, without a trace of where they come from."""

import json
from dataclasses import dataclass

from django.db import connection

CONTENT = """
SELECT prompt.messages, comparison.categories,
    ARRAY(
        SELECT completion.text FROM annotation_candidate AS candidate
        JOIN generation_completion AS completion ON completion.id = candidate.completion_id
        WHERE candidate.comparison_id = comparison.id ORDER BY candidate.position
    )
FROM annotation_comparison AS comparison JOIN generation_prompt AS prompt ON prompt.id = comparison.prompt_id
WHERE comparison.id = %s
"""


@dataclass(frozen=True, kw_only=True)
class TaskContent:
    """The texts of a comparison."""

    messages: list[dict[str, str]]
    categories: list[str]
    texts: list[str]  # of the completions, by position


def content_of(comparison_id: int) -> TaskContent:
    """The texts of a comparison that exists."""
    with connection.cursor() as cursor:
        cursor.execute(CONTENT, [comparison_id])
        messages, categories, texts = cursor.fetchone()
    return TaskContent(messages=json.loads(messages), categories=list(categories), texts=list(texts))
