"""Who sees which rows."""

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.models import Workspace
from annotation.models import Judgment, Slot
from generation.models import Completion, Prompt, PromptSet
from tests.factory import Factory
from training.models import Metric


def test_managers_and_engineers_see_their_workspace(factory: Factory) -> None:
    prompt_set = factory.prompt_set()

    assert list(PromptSet.objects.visible_to(factory.alice())) == [prompt_set]
    assert list(PromptSet.objects.visible_to(factory.dana())) == [prompt_set]


def test_labelers_strangers_and_nobody_see_nothing(factory: Factory) -> None:
    factory.prompt_set()

    for user in (factory.bob(), factory.charlie(), AnonymousUser()):
        assert not PromptSet.objects.visible_to(user).exists()


def test_administrators_see_every_workspace(factory: Factory) -> None:
    factory.prompt_set()
    factory.prompt_set(workspace=factory.workspace("Elsewhere"))

    assert PromptSet.objects.visible_to(factory.admin()).count() == 2


def test_a_role_elsewhere_gives_no_sight_here(factory: Factory) -> None:
    """Bob labels here and manages elsewhere: he sees what is elsewhere only."""
    bob = factory.user("bob", role="manager", workspace=factory.workspace("Elsewhere"))
    factory.bob()
    factory.prompt_set()
    foreign = factory.prompt_set(workspace=factory.workspace("Elsewhere"))

    assert list(PromptSet.objects.visible_to(bob)) == [foreign]


@pytest.mark.parametrize("model", [Prompt, Completion, Slot, Judgment, Metric])
def test_rows_deep_inside_a_workspace_are_as_visible_as_it_is(factory: Factory, model: type) -> None:
    factory.judged_campaign()
    factory.training_run()

    visible = getattr(model, "objects")  # noqa: B009 -- a manager of ours on any of these models
    assert visible.visible_to(factory.alice()).count() == visible.count() > 0
    assert not visible.visible_to(factory.charlie()).exists()
    assert not visible.visible_to(factory.bob()).exists()


def test_losing_the_role_is_losing_the_sight(factory: Factory) -> None:
    factory.prompt_set()
    factory.alice().memberships.all().delete()

    alice = factory.user("alice")
    assert Workspace.objects.count() == 1
    assert not PromptSet.objects.visible_to(alice).exists()
