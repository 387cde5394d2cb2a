"""What the header shows to whom."""

from django import template
from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from frontend.access import is_reader

register = template.Library()


@register.filter
def reads_workspaces(user: User | AnonymousUser | str) -> bool:
    """Whether the management pages hold anything for this user. Error pages may know of no user at all."""
    return isinstance(user, User) and is_reader(user)
