"""Writes to users, memberships and tokens."""

import secrets
from datetime import timedelta

from django.db import transaction
from knox.models import AuthToken

from accounts.models import Membership, User, Workspace

WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heron",
    "iris",
    "juniper",
    "kestrel",
    "linden",
    "maple",
    "north",
    "ocean",
    "pine",
]


def create_workspace(*, name: str, manager: User | None = None) -> Workspace:
    """A workspace, with its first manager."""
    with transaction.atomic():
        workspace = Workspace.objects.create(name=name)
        if manager is not None:
            grant_role(user=manager, workspace=workspace, role=Membership.Role.MANAGER)
    return workspace


def grant_role(*, user: User, workspace: Workspace, role: str) -> Membership:
    """Give the user this role there, replacing another."""
    membership, _ = Membership.objects.update_or_create(
        user=user, workspace=workspace, defaults={"role": Membership.Role(role)}
    )
    return membership


def issue_token(*, user: User, days: int = 90) -> str:
    """A new API token, shown once: only its hash is stored, and it expires."""
    _, token = AuthToken.objects.create(user=user, expiry=timedelta(days=days))
    return str(token)


def generate_password() -> str:
    """Four words and a number: easy to type, 16 random bits of words and 26 of digits."""
    words = [secrets.choice(WORDS) for _ in range(4)]
    return "-".join([*words, str(secrets.randbelow(90_000_000) + 10_000_000)])
