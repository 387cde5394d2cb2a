"""What pages on which files come in share: whose workspace they go to, and the files of the request."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.models import Membership, User, Workspace
from core import source_files
from core.errors import NotFound
from frontend.access import SignedInRequest

ACCEPTED = ".jsonl,.ndjson,.json,.csv,.parquet,.gz,.zip"


def managed_workspaces(user: User) -> QuerySet[Workspace]:
    """Workspaces that the user manages; an administrator manages all."""
    if user.is_superuser:
        return Workspace.objects.all()
    return Workspace.objects.filter(memberships__user=user, memberships__role=Membership.Role.MANAGER)


def require_some_workspace(user: User) -> None:
    """Raises `NotFound` for those who may import nothing anywhere."""
    if not managed_workspaces(user).exists():
        raise NotFound("There is no workspace into which you may import.")


def uploaded_files(request: SignedInRequest) -> list[source_files.SourceFile]:
    """The parts named `files`. Raises `FileUnreadable`."""
    return source_files.from_streams(
        [(str(part.name), part.file) for part in request.FILES.getlist("files") if part.file is not None]
    )
