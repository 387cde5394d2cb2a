"""Alice, Bob, Charlie and the others, and their workspaces."""

from __future__ import annotations

from itertools import count

from accounts import services as accounts
from accounts.models import Membership, User, Workspace

PASSWORD = "correct-horse-battery-42"


class People:
    """Users and workspaces: made once by name, then the same."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def workspace(self, name: str = "Acme") -> Workspace:
        """The workspace of that name: made once, then the same."""
        return Workspace.objects.filter(name=name).first() or accounts.create_workspace(name=name)

    def user(self, name: str, *, role: str | None = None, workspace: Workspace | None = None) -> User:
        """The user of that name, with a role in the workspace if one is given. The password is `PASSWORD`."""
        user = User.objects.filter(username=name).first()
        if user is None:
            user = User.objects.create_user(name, email=f"{name}@example.org", password=PASSWORD)
        if role is not None:
            accounts.grant_role(user=user, workspace=workspace or self.workspace(), role=role)
        return user

    def alice(self) -> User:
        """Manages the workspace."""
        return self.user("alice", role=Membership.Role.MANAGER)

    def bob(self) -> User:
        """Labels in the workspace."""
        return self.user("bob", role=Membership.Role.LABELER)

    def dana(self) -> User:
        """The workspace's engineer."""
        return self.user("dana", role=Membership.Role.ENGINEER)

    def charlie(self) -> User:
        """Manages another workspace, and must see nothing of this one."""
        return self.user("charlie", role=Membership.Role.MANAGER, workspace=self.workspace("Elsewhere"))

    def admin(self) -> User:
        """Sees everything."""
        return User.objects.filter(username="root").first() or User.objects.create_superuser("root", password=PASSWORD)

    def _name(self, noun: str) -> str:
        return f"{noun} {next(self._numbers)}"
