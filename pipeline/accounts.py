"""The accounts of a fresh installation: one for each role, with generated passwords."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from accounts import services as accounts
from accounts.models import Membership, User, Workspace
from annotation import services as annotation

WORKSPACE = "Demo"
ROLES = {
    "manager": Membership.Role.MANAGER,
    "labeler": Membership.Role.LABELER,
    "engineer": Membership.Role.ENGINEER,
}


@dataclass(frozen=True, kw_only=True)
class LogIn:
    """What somebody types to sign in."""

    username: str
    password: str


def ensure_accounts(path: Path) -> tuple[Workspace, list[LogIn]]:
    """The demo workspace and its log-ins. Passwords are made once and kept in `path`, readable by its owner only.

    If the file is gone, new passwords replace the lost ones.
    """
    known = json.loads(path.read_text()) if path.exists() else {}
    with transaction.atomic():
        workspace, _ = Workspace.objects.get_or_create(name=WORKSPACE)
        log_ins = [_ensure(name, known.get(name), workspace) for name in ("admin", *ROLES)]
    _write_private(path, json.dumps({entry.username: entry.password for entry in log_ins}, indent=2))
    return workspace, log_ins


def _ensure(name: str, password: str | None, workspace: Workspace) -> LogIn:
    user, is_new = User.objects.get_or_create(username=name, defaults={"is_staff": name == "admin"})
    if is_new or password is None or not user.check_password(password):
        password = accounts.generate_password()
        user.set_password(password)
    user.is_superuser = user.is_staff = name == "admin"
    user.save()
    if name in ROLES:
        accounts.grant_role(user=user, workspace=workspace, role=ROLES[name])
    if name == "labeler":
        annotation.person_annotator(workspace=workspace, user=user)
    return LogIn(username=name, password=password)


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
