"""What a model's tokenizer and chat template do to real rows: counts of tokens, and checks of the rules.

The rules are those of `tokenisation.py`: BOS once, a stop token once at the end of a reply, a boundary between prompt
and reply that no token crosses. It imports transformers: for workers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from training.algorithms.chat import with_reply
from training.algorithms.data_report import TokenCounts
from training.algorithms.data_rows import DataRow
from training.algorithms.failures import TrainingFailure
from training.algorithms.tokenisation import ChatTokeniser, common_prefix_length, load_tokenizer

UNLIMITED: Final = 2**31 - 1
NUM_LINTED: Final = 200  # rows whose replies are looked at
QUESTION: Final = [{"role": "user", "content": "a"}]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule and how it stands."""

    name: str  # "bos"
    is_kept: bool
    text: str


def uncut_tokeniser(model: str) -> ChatTokeniser:
    """The tokeniser of a model without limits. Raises `TrainingFailure` where it has none that can be used."""
    return ChatTokeniser(load_tokenizer(model), max_prompt_tokens=UNLIMITED, max_completion_tokens=UNLIMITED)


def token_counts(tokeniser: ChatTokeniser, row: DataRow) -> TokenCounts | None:
    """How many tokens a row has; None if the template refuses its roles."""
    try:
        if not row.completions:
            return TokenCounts(prompt=len(tokeniser.prompt(row.conversation)), completions=())
        tree = tokeniser.tree(row.conversation, row.completions)
    except TrainingFailure:
        return None
    return TokenCounts(prompt=len(tree.prompt), completions=tuple(map(len, tree.completions)))


def lint(tokeniser: ChatTokeniser, rows: Sequence[DataRow]) -> list[dict[str, Any]]:
    """Every check as a JSON object."""
    sample = [row for row in rows if row.completions][:NUM_LINTED]
    return [asdict(check) for check in _checks(tokeniser, sample)]


def _checks(tokeniser: ChatTokeniser, rows: Sequence[DataRow]) -> Iterator[Check]:
    yield _bos(tokeniser)
    yield _generation_prompt(tokeniser)
    yield _stop(tokeniser)
    yield _pad(tokeniser)
    if rows:
        yield _boundary(tokeniser, rows)
        yield _round_trip(tokeniser, rows)


def _bos(tokeniser: ChatTokeniser) -> Check:
    bos = tokeniser.tokenizer.bos_token_id
    ids = tokeniser.prompt(QUESTION)
    name = tokeniser.tokenizer.bos_token
    if tokeniser.bos_id is None:
        is_kept = bos is None or bos not in ids
        text = "Sequences have no BOS token." if is_kept else f"{name} stands inside a sequence, not at its beginning."
        return Check(name="bos", is_kept=is_kept, text=text)
    count = ids.count(tokeniser.bos_id)
    raw = tokeniser.tokenizer.apply_chat_template(QUESTION, tokenize=False)
    doubled = tokeniser.tokenizer.encode(raw).count(tokeniser.bos_id) > 1
    advice = " Template and tokenizer both write one; the second is left out." if doubled else ""
    return Check(name="bos", is_kept=count == 1, text=f"{name} stands {_times(count)} at the beginning.{advice}")


def _generation_prompt(tokeniser: ChatTokeniser) -> Check:
    """Whether the template opens the assistant's turn, or the first thing that is learnt is to open it."""
    opened, plain = (
        tokeniser.tokenizer.apply_chat_template(QUESTION, tokenize=False, add_generation_prompt=wants)
        for wants in (True, False)
    )
    reply = tokeniser.tokenizer.apply_chat_template(with_reply(QUESTION, "b"), tokenize=False)
    is_kept = str(reply).startswith(str(opened))
    said = "opens the assistant's turn" if opened != plain else "writes nothing before a reply"
    text = f"The template {said}, and a reply follows it." if is_kept else (
        "A prompt that waits for a reply is no beginning of the same prompt with one: training and sampling differ."
    )  # fmt: skip
    return Check(name="generation_prompt", is_kept=is_kept, text=text)


def _stop(tokeniser: ChatTokeniser) -> Check:
    token = tokeniser.tokenizer.convert_ids_to_tokens(tokeniser.stop_id)
    (completion,) = tokeniser.tree(QUESTION, ["b"]).completions
    is_kept = completion.count(tokeniser.stop_id) == 1 and completion[-1] == tokeniser.stop_id
    eos = tokeniser.tokenizer.eos_token_id
    advice = "" if eos in (None, tokeniser.stop_id) else (
        f" The tokenizer's EOS is another token ({tokeniser.tokenizer.eos_token}): let engines stop at both."
    )  # fmt: skip
    times = _times(completion.count(tokeniser.stop_id))
    return Check(name="stop", is_kept=is_kept, text=f"A reply ends with {token}, {times}.{advice}")


def _pad(tokeniser: ChatTokeniser) -> Check:
    is_same = tokeniser.tokenizer.pad_token_id == tokeniser.stop_id
    text = "Padding is not the stop token."
    if is_same:
        text = "The tokenizer pads with the stop token; batches are filled with another one here."
    return Check(name="pad", is_kept=tokeniser.pad_id != tokeniser.stop_id, text=text)


def _boundary(tokeniser: ChatTokeniser, rows: Sequence[DataRow]) -> Check:
    """How many replies begin inside a token of the prompt; their prompt is cut before it."""
    crossed = total = 0
    for row in rows:
        try:
            prompt = tokeniser.prompt(row.conversation)
            trees = [tokeniser.tree(row.conversation, [text]) for text in row.completions]
        except TrainingFailure:
            continue
        total += len(trees)
        crossed += sum(common_prefix_length(prompt, tree.prompt) < len(prompt) for tree in trees)
    text = f"No token crosses from prompt to reply in {total:,} replies."
    if crossed:
        text = f"In {crossed:,} of {total:,} replies the first token holds the prompt's end too: they begin before it."
    return Check(name="boundary", is_kept=not crossed, text=text)


def _round_trip(tokeniser: ChatTokeniser, rows: Sequence[DataRow]) -> Check:
    """Whether what is learnt is what the data say: templates may strip white space."""
    changed = total = 0
    for row in rows:
        try:
            completions = tokeniser.tree(row.conversation, row.completions).completions
        except TrainingFailure:
            continue
        pairs = zip(completions, row.completions, strict=True)
        total += len(completions)
        changed += sum(tokeniser.decode(ids) != text for ids, text in pairs)
    text = f"{total:,} replies come back from their tokens as they were."
    if changed:
        text = f"{changed:,} of {total:,} replies come back from their tokens changed: the template rewrites them."
    return Check(name="round_trip", is_kept=not changed, text=text)


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
