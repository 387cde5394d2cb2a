"""Whether a schedule fires when it is asked, and why. Numbers in, words out."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules.new_judgments import Counted

Asked = ScheduleFiring.Trigger


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether it fires, and why or why not."""

    fires: bool
    reason: str


def answer(schedule: TrainingSchedule, asked: str, counted: Counted, running: ScheduleFiring | None) -> Answer:
    """What a schedule does now if it is asked by its time, by its count, or by hand."""
    if running is not None:
        step = running.get_step_display().lower()
        return Answer(fires=False, reason=f"Firing {running.number} is still under way ({step}); two never overlap.")
    new = f"{judgments(counted.num_new)} new since the last decision"
    if asked == Asked.HAND:
        return Answer(fires=True, reason=f"Asked for by hand; {new}.")
    wanted = wanted_by(schedule, asked)
    has_enough = (counted.num_since_start if asked == Asked.COUNT else counted.num_new) >= wanted
    if has_enough:
        return Answer(fires=True, reason=f"{Asked(asked).label.capitalize()}: {new}, {wanted:,} or more were wanted.")
    return Answer(fires=False, reason=f"{new}, {wanted:,} or more were wanted.")


def wanted_by(schedule: TrainingSchedule, asked: str) -> int:
    """How many new judgments are enough. At its times, 1 unless the schedule wants both."""
    counts = asked == Asked.COUNT or schedule.trigger == TrainingSchedule.Trigger.BOTH
    return (schedule.min_new_judgments or 1) if counts else 1


def judgments(number: int) -> str:
    return f"{number:,} judgment is" if number == 1 else f"{number:,} judgments are"
