"""How long the replies of a task are, for answers that mark passages."""

from django.db.models.functions import Length

from annotation.models import Comparison, Slot


def lengths_of(comparison: Comparison) -> list[int]:
    """The characters (code points) of each completion, by position."""
    rows = comparison.candidates.order_by("position").values_list(Length("completion__text"), flat=True)
    return list(rows)


def lengths_shown(slot: Slot) -> list[int]:
    """The characters (code points) of each reply at its displayed place."""
    of_position = lengths_of(slot.comparison)
    return [of_position[position] for position in slot.display_order]
