"""Sample texts of a training run, prompt by prompt: how the replies change as it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from training.models import SampleText, TrainingRun

NUM_PROMPTS = 8
NUM_STEPS = 5  # of each prompt: the first, the last, and some between


@dataclass(frozen=True, kw_only=True)
class PromptSamples:
    """What was said to one prompt."""

    prompt: str
    shown: list[SampleText]  # by step, evenly chosen
    num_samples: int


def samples_over_time(run: TrainingRun) -> list[PromptSamples]:
    """The first few prompts with samples from beginning to end."""
    by_prompt: dict[str, list[SampleText]] = {}
    for sample in run.sample_texts.order_by("step", "pk"):
        if sample.prompt in by_prompt or len(by_prompt) < NUM_PROMPTS:
            by_prompt.setdefault(sample.prompt, []).append(sample)
    return [
        PromptSamples(prompt=prompt, shown=evenly(samples, NUM_STEPS), num_samples=len(samples))
        for prompt, samples in by_prompt.items()
    ]


def evenly(samples: list[SampleText], count: int) -> list[SampleText]:
    """At most `count` of them, the first and the last included."""
    if len(samples) <= count:
        return samples
    last = len(samples) - 1
    return [samples[round(place * last / (count - 1))] for place in range(count)]
