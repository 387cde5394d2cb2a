"""What is marked on the candidates of a sampling run, and what its page says about them."""

from __future__ import annotations

import pytest

from generation.candidate_marking import mark_candidates
from generation.candidate_report import flag_counts, least_diverse, lengths_of, mean_diversity
from generation.models import Completion, CompletionFlag, SamplingRun
from tests.factory import Factory

REFUSAL = "I'm sorry, but I can't help with that."


@pytest.fixture
def run(factory: Factory) -> SamplingRun:
    """Four completions of one prompt: a good one, its repeat, a refusal, and one that was cut off."""
    texts = ["It is 4.", "it is 4.", REFUSAL, "Let me think about"]
    completions = factory.completions(factory.prompt(), texts, model=factory.model("Parrot"))
    Completion.objects.filter(pk=completions[3].pk).update(finish_reason="length")
    run = completions[0].sampling_run
    assert run is not None
    return run


def flags_in(run: SamplingRun) -> list[tuple[int, str]]:
    rows = CompletionFlag.objects.filter(completion__sampling_run=run)
    return list(rows.order_by("completion").values_list("completion__index", "kind"))


def test_marking_twice_changes_nothing_and_keeps_what_guards_said(run: SamplingRun) -> None:
    first = run.completions.earliest("pk")
    first.flags.create(kind="unsafe", detail="S1")
    mark_candidates(run)
    marked = flags_in(run)
    mark_candidates(run)
    assert marked == flags_in(run) == [(0, "unsafe"), (2, "refusal"), (3, "truncated")]
    assert run.completions.get(index=1).duplicate_of == first
    assert run.diversities.count() == 1


def test_a_repeated_reply_is_marked_within_its_prompt_only(factory: Factory) -> None:
    prompt_set, model = factory.prompt_set(num_prompts=2), factory.model()
    run = factory.sampling_run(prompt_set, models=[model], status="running")
    first, second = prompt_set.prompts.all()
    for prompt, texts in ((first, ["14", "15", "14 "]), (second, ["14"])):
        for index, text in enumerate(texts):
            factory.sampled(run.arms.get(), prompt, index=index, text=text)
    mark_candidates(run)
    marked = run.completions.exclude(duplicate_of=None).get()
    assert (marked.prompt, marked.index) == (first, 2)
    assert marked.duplicate_of == run.completions.get(prompt=first, index=0)


def test_a_mark_goes_when_its_reason_has_gone(run: SamplingRun) -> None:
    mark_candidates(run)
    run.completions.filter(index__in=(1, 2)).update(text="It is 5.")
    mark_candidates(run)
    assert flags_in(run) == [(3, "truncated")]
    assert run.completions.get(index=1).duplicate_of is None
    assert run.completions.get(index=2).duplicate_of == run.completions.get(index=1)


def test_the_report_counts_flags_with_examples(run: SamplingRun) -> None:
    mark_candidates(run)
    refusal, truncated = flag_counts(run)
    assert (refusal.name, refusal.num, refusal.examples[0].completion.text) == ("Refusal", 1, REFUSAL)
    assert (truncated.kind, truncated.num) == ("truncated", 1)


def test_the_report_knows_how_different_the_completions_are(run: SamplingRun) -> None:
    mark_candidates(run)
    found = mean_diversity(run)
    assert found["num_prompts"] == 1
    assert 0 < found["mean_mean_distance"] < 1
    assert least_diverse(run)[0].prompt == run.completions.earliest("pk").prompt


def test_one_completion_a_prompt_has_no_diversity(factory: Factory) -> None:
    run = factory.sampling_run(num_completions=1)
    mark_candidates(run)
    assert mean_diversity(run) == {
        "num_prompts": 0,
        "mean_distinct_1": None,
        "mean_distinct_2": None,
        "mean_mean_distance": None,
        "mean_self_bleu": None,
    }


def test_lengths_are_in_tokens_if_all_are_known_and_in_words_otherwise(run: SamplingRun) -> None:
    found = lengths_of(run)
    assert (found.unit, found.arms[0].arm, found.arms[0].statistics.longest) == ("tokens", "Parrot", 4)
    run.completions.filter(index=0).update(num_tokens=None)
    found = lengths_of(run)
    assert (found.unit, found.arms[0].statistics.longest, sum(found.histogram.counts["Parrot"])) == ("words", 8, 4)
