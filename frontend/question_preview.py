"""The labeler's task for a question that is still being written, about a sample prompt and sample replies."""

import uuid
from datetime import UTC, datetime

from annotation.models import Campaign, Slot
from annotation.question import Question
from frontend.choices import pairwise_choices
from frontend.labeling import PAIRWISE_NAMES, Reply, Task

EARLIER = [
    {"role": "user", "content": "My daughter asked me why the sky is blue."},
    {"role": "assistant", "content": "Sunlight scatters in the air, and blue light scatters most."},
]
PROMPT = "And why is it red in the evening? Please explain it so that a child of seven understands it."
REPLIES = (
    "In the evening the sun is low, so its light has a **long way** through the air. On this way most of the blue is "
    "scattered to the side. What is left when the light reaches you is red and orange.",
    "Because of Rayleigh scattering, whose intensity goes with $\\lambda^{-4}$: short waves are scattered more than "
    "long ones. At sunset the optical path is about 40 times as long as at noon.",
    "Think of a race:\n\n1. All colours start together at the sun.\n2. Blue gets tired first and runs off.\n"
    "3. Red keeps going and arrives.\n\nIn the evening the race is longest, so only red is left.",
    "The sky is red because the sun is red in the evening.",
    "I am sorry, but I cannot help with questions about the sky.",
    "| time | way through the air | colour |\n|---|---|---|\n| noon | short | blue |\n| evening | long | red |",
    "The clouds are painted by the setting sun, as if it said good night.",
    "It gets red because the sea mirrors the light of the evening sun back into the sky.",
    "Red light wins in the evening!",
)


def sample_campaign(question: Question, guidelines: str) -> Campaign:
    """A campaign that is in no table, for templates that want one."""
    return Campaign(pk=0, name="Preview", question=question.to_json(), guidelines=guidelines)


def sample_task(question: Question) -> Task:
    """What a labeler would see; its slot is in no table, so that it can never be answered."""
    names = PAIRWISE_NAMES if question.kind == "pairwise" else "123456789"
    places = range(question.num_completions)
    return Task(
        slot=Slot(pk=0, token=uuid.UUID(int=0), leased_until=datetime.max.replace(tzinfo=UTC)),
        question=question,
        earlier_turns=EARLIER,
        last_turn=PROMPT,
        replies=[Reply(place=place, name=names[place], text=REPLIES[place]) for place in places],
        choices=pairwise_choices(question) if question.kind == "pairwise" else [],
        seconds_left=0,
        idempotency_key="",
        wants_rationale=question.rationale in ("required", "sampled", "disputed"),
        is_sensitive=False,
    )
