"""What a policy says to held-out prompts, shown while it trains."""

from __future__ import annotations

from collections.abc import Sequence

from training.algorithms.chat import Conversation
from training.algorithms.events import EventWriter
from training.algorithms.models import LanguageModel
from training.algorithms.sampling import sample_completions
from training.algorithms.tokenisation import ChatTokeniser


def write_samples(
    events: EventWriter,
    model: LanguageModel,
    tokeniser: ChatTokeniser,
    prompts: Sequence[Conversation],
    *,
    step: int,
) -> None:
    """Greedy replies as sample events; greedy, so that successive ones differ by training alone."""
    if not prompts:
        return
    completions = sample_completions(
        model,
        [tokeniser.prompt(prompt) for prompt in prompts],
        max_new_tokens=min(tokeniser.max_completion_tokens, 64),
        temperature=0.0,
        stop_id=tokeniser.stop_id,
        pad_id=tokeniser.pad_id,
    )
    for prompt, completion in zip(prompts, completions, strict=True):
        events.sample(step=step, prompt=prompt[-1]["content"], text=tokeniser.decode(completion))
