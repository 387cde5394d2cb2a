"""How long the replies of a task are, for answers that mark passages."""

from django.db.models.functions import Length

from annotation.models import Slot


def lengths_shown(slot: Slot) -> list[int]:
    """The characters (code points) of each reply at its displayed place."""
    of_position = dict(slot.comparison.candidates.values_list("position", Length("completion__text")))
    return [of_position[position] for position in slot.display_order]
