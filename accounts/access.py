"""What a user may do in a workspace. Reading is decided by `visible_to`; this is about acting."""

from django.contrib.auth.models import AnonymousUser

from accounts.models import Membership, User, Workspace
from core.errors import ConcordError, NotFound

Role = Membership.Role


class AccessDenied(ConcordError):
    """The user may see the object but not do this with it."""

    status = 403
    title = "Not allowed"


def role_in(user: User | AnonymousUser, workspace: Workspace) -> str | None:
    """The user's role, `"admin"` for administrators, None for strangers."""
    if not user.is_authenticated:
        return None
    if user.is_superuser:
        return "admin"
    membership = Membership.objects.filter(user=user, workspace=workspace).first()
    return membership.role if membership else None


def require_manager(user: User | AnonymousUser, workspace: Workspace) -> None:
    """Raise unless the user manages the workspace."""
    _require(user, workspace, {"admin", Role.MANAGER})


def require_engineer(user: User | AnonymousUser, workspace: Workspace) -> None:
    """Raise unless the user may start training and evaluation there."""
    _require(user, workspace, {"admin", Role.MANAGER, Role.ENGINEER})


def _require(user: User | AnonymousUser, workspace: Workspace, allowed: set[str]) -> None:
    role = role_in(user, workspace)
    if role is None:
        raise NotFound("There is no such object, or it belongs to a workspace that you are not a member of.")
    if role not in allowed:
        needed = " or ".join(sorted(allowed - {"admin"}))
        raise AccessDenied(f"This needs the role {needed} in {workspace.name}; yours is {role}.")
