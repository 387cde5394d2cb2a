"""Training again without some annotators."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from annotation import runner
from annotation.models import Annotator, Dataset
from core import jobs
from core.jobs import JobFailed
from tests.factory import Factory
from tests.factory.traces import Traced, frozen, traced, votes
from training import retraining
from training.models import Retraining, TrainingRun
from training.retraining import RetrainingRefused


def retrained(made: Traced, annotators: Sequence[Annotator]) -> Retraining:
    """As a worker carries it out."""
    found = retraining.start_retraining(run=made.run, annotators=annotators)
    jobs.perform(Retraining, found.pk, retraining.retrain)
    found.refresh_from_db()
    return found


def test_the_new_run_differs_in_its_dataset_alone(factory: Factory) -> None:
    made = traced(factory, ["AA", "A-", "-B"], seed=7, config={"max_steps": 3})
    missing = made.annotators[0]

    found = retrained(made, [missing])

    assert found.status == Retraining.Status.FINISHED
    assert found.run is not None
    origin, new = made.run, found.run
    assert (new.algorithm, new.seed, new.init_model) == (origin.algorithm, origin.seed, origin.init_model)
    assert new.config["max_steps"] == 3
    assert new.dataset == found.dataset
    assert found.dataset is not None
    assert list(found.dataset.campaigns.all()) == [made.campaign]
    assert found.dataset.filter["excluded_annotators"] == [missing.pk]
    assert found.name.endswith(f"without {missing}")


def test_what_changed_is_counted_by_rows(factory: Factory) -> None:
    made = traced(factory, ["A--", "ABA", "AAB", "A-B", "-AB", "-AA"])  # without the first letters:
    # removed, now a tie, now a tie, new because no longer a tie, a tie before and after, the same
    assert made.dataset.num_rows == 4

    found = retrained(made, made.annotators[:1])

    assert found.changes == {
        "rows_before": 4,
        "rows_after": 2,
        "removed": 3,
        "added": 1,
        "turned": 0,
        "reweighted": 0,
    }


def test_a_majority_that_rested_on_the_missing_turns(factory: Factory) -> None:
    made = traced(factory, ["AAB", "AAA"])

    found = retrained(made, made.annotators[:2])

    assert found.changes["turned"] == 1
    assert found.changes["removed"] == 0


def test_a_vote_less_changes_the_weight_of_a_row(factory: Factory) -> None:
    made = traced(factory, ["AAAB"])

    found = retrained(made, made.annotators[:1])

    assert (found.changes["reweighted"], found.changes["turned"]) == (1, 0)


def test_judgments_that_came_later_do_not_join(factory: Factory) -> None:
    made = traced(factory, ["A-", "-A"])
    comparison = made.campaign.comparisons.earliest("pk")
    late = factory.judgment(comparison.slots.latest("number"), made.annotators[1], tiers=[[1], [0]])

    found = retrained(made, made.annotators[:1])

    assert made.dataset.started_at is not None
    assert late.created_at > made.dataset.started_at
    assert found.changes["rows_after"] == 1
    assert found.changes["added"] == 0


def test_a_dataset_that_already_left_somebody_out_leaves_out_both(factory: Factory) -> None:
    campaign, annotators = votes(factory, ["AAA"])
    dataset = factory.dataset(
        status="queued", campaigns=[campaign], filter={"excluded_annotators": [annotators[0].pk], "min_votes": 1}
    )
    jobs.perform(Dataset, dataset.pk, runner.freeze)
    run = factory.training_run(dataset=Dataset.objects.get(pk=dataset.pk))

    found = retraining.start_retraining(run=run, annotators=annotators[1:2])
    jobs.perform(Retraining, found.pk, retraining.retrain)
    found.refresh_from_db()

    assert found.dataset is not None
    assert found.dataset.filter["excluded_annotators"] == [annotator.pk for annotator in annotators[:2]]


@pytest.mark.parametrize("kind", ["rankings", "labels", "demonstrations"])
def test_other_layouts_are_compared_too(factory: Factory, kind: str) -> None:
    campaign, annotators = votes(factory, ["A-", "AA"])
    algorithm = {"rankings": "reward", "labels": "kto", "demonstrations": "sft"}[kind]
    run = factory.training_run(algorithm=algorithm, dataset=frozen(factory, campaign, kind=kind))

    found = retraining.start_retraining(run=run, annotators=annotators[:1])
    jobs.perform(Retraining, found.pk, retraining.retrain)
    found.refresh_from_db()

    assert found.changes["rows_after"] == found.changes["rows_before"] - found.changes["removed"]
    assert found.changes["removed"] > 0


def test_carried_out_twice_it_starts_one_run(factory: Factory) -> None:
    made = traced(factory, ["AA", "-A"])
    found = retrained(made, made.annotators[:1])
    Retraining.objects.filter(pk=found.pk).update(status="queued")

    jobs.perform(Retraining, found.pk, retraining.retrain)

    assert TrainingRun.objects.exclude(pk=made.run.pk).count() == 1
    assert Dataset.objects.filter(retraining=found).count() == 1


def test_what_the_freeze_says_is_what_the_retraining_says(factory: Factory) -> None:
    made = traced(factory, ["AA", "AA"])  # without the second every row has one vote, and two are wanted
    made.dataset.filter = {"min_votes": 2}
    made.dataset.save()
    found = retraining.start_retraining(run=made.run, annotators=made.annotators[1:])

    with pytest.raises(JobFailed, match="No row of"):
        jobs.perform(Retraining, found.pk, retraining.retrain)

    found.refresh_from_db()
    assert (found.status, found.failure_kind) == ("failed", "data_error")
    assert found.run is None


def test_nobody_chosen_is_refused(factory: Factory) -> None:
    with pytest.raises(RetrainingRefused, match="Nobody was chosen"):
        retraining.start_retraining(run=traced(factory, ["AA"]).run, annotators=[])


def test_everybody_chosen_is_refused(factory: Factory) -> None:
    made = traced(factory, ["AA"])
    with pytest.raises(RetrainingRefused, match="Nothing is left"):
        retraining.start_retraining(run=made.run, annotators=made.annotators)


def test_somebody_without_a_row_is_refused(factory: Factory) -> None:
    made, stranger = traced(factory, ["AA"]), factory.judge("a stranger")
    with pytest.raises(RetrainingRefused, match="a stranger: nothing would change"):
        retraining.start_retraining(run=made.run, annotators=[stranger])


@pytest.mark.parametrize("status", ["queued", "running", "failed", "cancelled"])
def test_a_run_that_has_not_finished_is_refused(factory: Factory, status: str) -> None:
    made = traced(factory, ["AA"])
    TrainingRun.objects.filter(pk=made.run.pk).update(status=status)
    made.run.refresh_from_db()
    with pytest.raises(RetrainingRefused, match=f"is {status}"):
        retraining.start_retraining(run=made.run, annotators=made.annotators[:1])


def test_the_same_again_while_it_is_under_way_is_refused(factory: Factory) -> None:
    made = traced(factory, ["AA"])
    retraining.start_retraining(run=made.run, annotators=made.annotators[:1])
    with pytest.raises(RetrainingRefused, match="already being trained again"):
        retraining.start_retraining(run=made.run, annotators=made.annotators[:1])
    assert retraining.start_retraining(run=made.run, annotators=made.annotators[1:])


def test_ppo_is_sent_to_its_reward_model(factory: Factory) -> None:
    with pytest.raises(RetrainingRefused, match="Train its reward model again"):
        retraining.start_retraining(run=factory.training_run(algorithm="ppo"), annotators=[factory.judge()])


def test_a_consensus_cannot_be_taken_apart(factory: Factory) -> None:
    made = traced(factory, ["AA"])
    made.dataset.filter = {"consensus": "majority"}
    made.run.dataset = made.dataset
    with pytest.raises(RetrainingRefused, match="majority"):
        retraining.start_retraining(run=made.run, annotators=made.annotators[:1])


def test_a_taken_name_gets_a_number(factory: Factory) -> None:
    made = traced(factory, ["AA"], name="RM")
    factory.training_run(f"RM without {made.annotators[0]}")

    found = retraining.start_retraining(run=made.run, annotators=made.annotators[:1])

    assert found.name == f"RM without {made.annotators[0]} (2)"
