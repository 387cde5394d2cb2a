from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.contrib.auth import authenticate

from accounts.models import Membership, User, Workspace
from annotation.models import Annotator
from pipeline.accounts import ensure_accounts

pytestmark = pytest.mark.django_db


def test_every_role_gets_a_log_in_that_works(tmp_path: Path) -> None:
    workspace, log_ins = ensure_accounts(tmp_path / "credentials.json")
    assert [entry.username for entry in log_ins] == ["admin", "manager", "labeler", "engineer"]
    assert all(authenticate(username=entry.username, password=entry.password) for entry in log_ins)
    roles = dict(Membership.objects.filter(workspace=workspace).values_list("user__username", "role"))
    assert roles == {"manager": "manager", "labeler": "labeler", "engineer": "engineer"}
    assert User.objects.get(is_superuser=True).username == "admin"
    assert Annotator.objects.get().user == User.objects.get(username="labeler")


def test_passwords_differ_and_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    _, log_ins = ensure_accounts(path)
    assert len({entry.password for entry in log_ins}) == 4
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {entry.username: entry.password for entry in log_ins}


def test_a_second_start_keeps_the_passwords(tmp_path: Path) -> None:
    first = ensure_accounts(tmp_path / "credentials.json")
    assert ensure_accounts(tmp_path / "credentials.json") == first
    assert (Workspace.objects.count(), User.objects.count()) == (1, 4)


def test_lost_passwords_are_replaced(tmp_path: Path) -> None:
    _, before = ensure_accounts(tmp_path / "credentials.json")
    (tmp_path / "credentials.json").unlink()
    _, after = ensure_accounts(tmp_path / "credentials.json")
    assert all(old.password != new.password for old, new in zip(before, after, strict=True))
    assert all(authenticate(username=entry.username, password=entry.password) for entry in after)
