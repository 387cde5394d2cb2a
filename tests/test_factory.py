"""The factory's sentences hold together."""

import pytest

from tests.factory import Factory


@pytest.mark.parametrize(
    "noun",
    ["campaign", "judged_campaign", "leased_slot", "judgment", "judging_run", "dataset", "evaluation", "pipeline"],
)
def test_every_noun_needs_no_arguments(factory: Factory, noun: str) -> None:
    assert getattr(factory, noun)().pk


@pytest.mark.parametrize("algorithm", ["sft", "reward", "dpo", "kto", "orpo", "simpo", "ppo"])
@pytest.mark.parametrize("status", ["queued", "running", "finished", "failed", "cancelled"])
def test_training_runs_of_every_algorithm_and_status(factory: Factory, algorithm: str, status: str) -> None:
    run = factory.training_run(algorithm=algorithm, status=status)

    assert run.status == status


def test_people_are_made_once(factory: Factory) -> None:
    assert factory.alice() == factory.alice()
    assert factory.charlie().memberships.get().workspace.name == "Elsewhere"
