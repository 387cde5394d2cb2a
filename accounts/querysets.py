"""Who sees which rows: the one place where visibility is decided."""

from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from accounts.models import User

READING_ROLES = ("manager", "engineer")


class VisibleMixin(models.QuerySet[Any]):
    """Rows that reach their workspace through `workspace_path` and are seen by its managers and engineers."""

    workspace_path = "workspace"

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """What the user may read; nothing for a stranger, a labeler or nobody."""
        return self._with_role(user, READING_ROLES)

    def _with_role(self, user: "User | AnonymousUser", roles: tuple[str, ...]) -> Self:
        if not user.is_authenticated:
            return self.none()
        if user.is_superuser:
            return self
        from accounts.models import Membership

        held = Membership.objects.filter(user=user, role__in=roles).values("workspace")
        return self.filter(Q(**{f"{self.workspace_path}__in": held}))


class WorkspaceQuerySet(VisibleMixin):
    """Reads of rows with a `workspace` column."""
