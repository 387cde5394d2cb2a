"""Workspaces, roles, passwords."""

from accounts import services
from accounts.access import role_in
from accounts.models import Membership
from tests.factory import Factory


def test_a_workspace_gets_its_first_manager(factory: Factory) -> None:
    user = factory.user("erin")

    workspace = services.create_workspace(name="New", manager=user)

    assert role_in(user, workspace) == "manager"


def test_a_new_role_replaces_the_old_one(factory: Factory) -> None:
    bob = factory.bob()

    services.grant_role(user=bob, workspace=factory.workspace(), role=Membership.Role.ENGINEER)

    assert [membership.role for membership in bob.memberships.all()] == ["engineer"]


def test_generated_passwords_are_all_different_and_long() -> None:
    passwords = {services.generate_password() for _ in range(200)}

    assert len(passwords) == 200
    assert all(len(password) >= 20 for password in passwords)


def test_a_generated_password_passes_the_validators(factory: Factory) -> None:
    from django.contrib.auth.password_validation import validate_password

    validate_password(services.generate_password(), factory.bob())
