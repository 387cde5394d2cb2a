"""What a role allows."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts import access
from accounts.access import AccessDenied
from accounts.models import User, Workspace
from core.errors import NotFound
from tests.factory import Factory

Check = Callable[[User, Workspace], None]


@pytest.mark.parametrize(
    ("name", "role"), [("alice", "manager"), ("dana", "engineer"), ("bob", "labeler"), ("admin", "admin")]
)
def test_everybody_has_one_role(factory: Factory, name: str, role: str) -> None:
    assert access.role_in(getattr(factory, name)(), factory.workspace()) == role


def test_strangers_and_nobody_have_none(factory: Factory) -> None:
    assert access.role_in(factory.charlie(), factory.workspace()) is None
    assert access.role_in(AnonymousUser(), factory.workspace()) is None


def test_managers_and_administrators_may_manage(factory: Factory) -> None:
    for user in (factory.alice(), factory.admin()):
        access.require_manager(user, factory.workspace())


def test_engineers_may_train_but_not_manage(factory: Factory) -> None:
    access.require_engineer(factory.dana(), factory.workspace())

    with pytest.raises(AccessDenied, match="needs the role manager in Acme; yours is engineer"):
        access.require_manager(factory.dana(), factory.workspace())


def test_labelers_may_neither(factory: Factory) -> None:
    with pytest.raises(AccessDenied, match="engineer or manager"):
        access.require_engineer(factory.bob(), factory.workspace())


@pytest.mark.parametrize("check", [access.require_manager, access.require_engineer])
def test_strangers_do_not_learn_that_the_workspace_exists(factory: Factory, check: Check) -> None:
    with pytest.raises(NotFound):
        check(factory.charlie(), factory.workspace())
