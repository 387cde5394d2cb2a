"""What is worth knowing of data before they are trained on. Pure, and without torch: rows in, a JSON object out.

Counts are of rows unless they say otherwise. `TokenCounts` come from a tokenizer where there is one.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from training.algorithms.data_rows import DataRow

Z: Final = 1.959964  # of a two-sided 95 % interval
NUM_EXAMPLES: Final = 5  # numbers of rows named with a finding
FEW_HELD_OUT: Final = 30  # held-out rows below which an accuracy says little
LOPSIDED: Final = 0.1  # share of the rarer label below which the other one is all that is learnt
LEANING: Final = 0.6  # the lower end of the interval of "the chosen one is longer" from which on a warning is due
MANY: Final = 0.05  # share of overlong rows from which on they are a warning
Level = Literal["bad", "warn", "note"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a person should know; `bad` ones make the trainer refuse the data."""

    level: Level
    name: str  # for programs: "leakage"
    text: str
    num_rows: int
    rows: list[int]  # the numbers of the first few


@dataclass(frozen=True, kw_only=True)
class TokenCounts:
    """Tokens of one row before anything is cut off."""

    prompt: int
    completions: tuple[int, ...]  # each with its stop token


CountTokens = Callable[[DataRow], TokenCounts | None]  # None: the template refuses the row


def data_report(
    rows: Sequence[DataRow],
    *,
    max_prompt_tokens: int,
    max_completion_tokens: int,
    count_tokens: CountTokens | None = None,
    max_counted: int | None = None,
) -> dict[str, Any]:
    """The report: `splits`, `lengths`, `length_bias`, `labels`, `tokens`, and `findings`, the gravest first.

    Tokens are counted of at most `max_counted` rows, evenly spread.
    """
    report: dict[str, Any] = {
        "splits": splits(rows),
        "lengths": {
            "prompt": spread([len(row.prompt_text) for row in rows]),
            "completion": spread([len(text) for row in rows for text in row.completions]),
        },
        "length_bias": length_bias(rows),
        "labels": label_balance(rows),
        "tokens": None,
    }
    found = [*empty(rows), *identical(rows), *duplicates(rows), *contradictions(rows), *leakage(rows)]
    found += [*thin_splits(report["splits"]), *lopsided(report["labels"]), *leaning(report["length_bias"])]
    if count_tokens is not None:
        stride = max(1, -(-len(rows) // max_counted)) if max_counted else 1
        report["tokens"], more = token_report(
            rows[::stride],
            count_tokens,
            max_prompt_tokens=max_prompt_tokens,
            max_completion_tokens=max_completion_tokens,
        )
        found += more
    order = ["bad", "warn", "note"]
    report["findings"] = [asdict(one) for one in sorted(found, key=lambda one: order.index(one.level))]
    return report


def splits(rows: Sequence[DataRow]) -> dict[str, dict[str, int]]:
    """Rows, prompts and completions of each split."""
    result = {}
    for split in ("train", "held_out"):
        chosen = [row for row in rows if row.split == split]
        num_completions = sum(len(row.completions) for row in chosen)
        prompts = {row.prompt for row in chosen}
        result[split] = {"rows": len(chosen), "prompts": len(prompts), "completions": num_completions}
    return result


def spread(values: Sequence[int]) -> dict[str, float] | None:
    """Mean, median, 95th percentile (nearest rank) and maximum; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)

    def quantile(share: float) -> int:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    mean = sum(ordered) / len(ordered)
    return {"mean": mean, "median": quantile(0.5), "p95": quantile(0.95), "max": ordered[-1]}


def length_bias(rows: Sequence[DataRow]) -> dict[str, Any] | None:
    """How often the better one of two completions is the longer one, in characters; equal lengths count a half.

    Pairs of one prompt hang together: the 95 % interval is that of a ratio over prompts (clusters), with standard
    error sqrt(Σ_g (s_g − p n_g)²) / n. Where every comparison says the same, Wilson's interval over the prompts.
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])  # prompt → [longer won, comparisons]
    for row in rows:
        for better, worse in row.comparisons():
            cluster = sums[row.prompt]
            cluster[0] += 1.0 if len(better) > len(worse) else 0.5 if len(better) == len(worse) else 0.0
            cluster[1] += 1.0
    count = sum(number for _, number in sums.values())
    if not count:
        return None
    share = sum(longer for longer, _ in sums.values()) / count
    error = math.sqrt(sum((longer - share * number) ** 2 for longer, number in sums.values())) / count
    low, high = (share - Z * error, share + Z * error) if error else wilson(share, len(sums))
    return {"share": share, "low": max(0.0, low), "high": min(1.0, high), "comparisons": int(count)}


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `count`."""
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return middle - half, middle + half


def label_balance(rows: Sequence[DataRow]) -> dict[str, Any] | None:
    """Wanted and unwanted replies of the training rows; None where there are no labels."""
    labels = Counter(row.label for row in rows if row.label is not None and row.split == "train")
    total = labels.total()
    if not total:
        return None
    return {"desirable": labels[True], "undesirable": labels[False], "share": labels[True] / total}


def empty(rows: Sequence[DataRow]) -> list[Finding]:
    """Completions without text. The trainer takes silence as a worse reply, never as one to learn."""
    wanted = [row.number for row in rows if any(is_blank and must for is_blank, must in _blanks(row))]
    silent = [row.number for row in rows if any(is_blank and not must for is_blank, must in _blanks(row))]
    return [
        *_finding("bad", "empty", wanted, "{n} with an empty reply that is to be learnt: training refuses them"),
        *_finding("note", "silence", silent, "{n} with an empty reply among the worse ones"),
    ]


def identical(rows: Sequence[DataRow]) -> list[Finding]:
    """Comparisons of a text with itself."""
    same = [row.number for row in rows if len(set(row.completions)) < len(row.completions)]
    return _finding(
        "bad", "identical", same, "{n} in which two of the replies are the same text: training refuses them"
    )


def duplicates(rows: Sequence[DataRow]) -> list[Finding]:
    """Rows that say what an earlier row of their split says."""
    seen: set[tuple[Any, ...]] = set()
    again = []
    for row in rows:
        key = (row.split, row.prompt, row.completions, row.tiers, row.label)
        if key in seen:
            again.append(row.number)
        seen.add(key)
    return _finding("warn", "duplicates", again, "{n} repeating an earlier one word for word: such rows count twice")


def contradictions(rows: Sequence[DataRow]) -> list[Finding]:
    """Pairs that are judged both ways, and replies that are wanted and unwanted."""
    known: set[tuple[Any, ...]] = set()
    against = []
    for row in rows:
        pairs = list(row.comparisons())
        said: set[tuple[Any, ...]] = {(row.prompt, better, worse) for better, worse in pairs}
        opposed: set[tuple[Any, ...]] = {(row.prompt, worse, better) for better, worse in pairs}
        if row.label is not None:
            said.add((row.prompt, row.completions, row.label))
            opposed.add((row.prompt, row.completions, not row.label))
        if known & opposed:
            against.append(row.number)
        known |= said
    return _finding("warn", "contradictions", against, "{n} saying the opposite of an earlier one")


def leakage(rows: Sequence[DataRow]) -> list[Finding]:
    """Held-out rows whose prompt is trained on: what is measured on them is memory."""
    trained = {_plain(row.prompt_text) for row in rows if row.split == "train"}
    known = [row.number for row in rows if row.split == "held_out" and _plain(row.prompt_text) in trained]
    return _finding("warn", "leakage", known, "{n} held out whose prompt is among the training rows")


def thin_splits(counted: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """No training rows at all, or too few held-out ones to measure anything."""
    num_train, num_held_out = counted["train"]["rows"], counted["held_out"]["rows"]
    found = []
    if not num_train:
        found.append(Finding(level="bad", name="untrained", text="No row is to be trained on.", num_rows=0, rows=[]))
    if num_held_out < FEW_HELD_OUT:
        text = f"Held-out rows: {num_held_out}, too few to tell progress from chance."
        found.append(Finding(level="warn", name="unmeasured", text=text, num_rows=num_held_out, rows=[]))
    return found


def lopsided(labels: Mapping[str, Any] | None) -> list[Finding]:
    """Labels of which one is rare."""
    if labels is None or LOPSIDED <= labels["share"] <= 1 - LOPSIDED:
        return []
    rarer = min(labels["desirable"], labels["undesirable"])
    text = f"{labels['share']:.0%} of the replies are wanted: set desirable_weight and undesirable_weight against it."
    return [Finding(level="warn", name="lopsided", text=text, num_rows=rarer, rows=[])]


def leaning(bias: Mapping[str, Any] | None) -> list[Finding]:
    """The longer reply wins more often than chance: what is learnt may be length."""
    if bias is None or bias["low"] < LEANING:
        return []
    text = (
        f"The better reply is the longer one in {bias['share']:.0%} of comparisons "
        f"(95 % interval {bias['low']:.0%}–{bias['high']:.0%}): what is learnt may be length."
    )
    return [Finding(level="warn", name="length_bias", text=text, num_rows=bias["comparisons"], rows=[])]


def token_report(
    rows: Sequence[DataRow], count_tokens: CountTokens, *, max_prompt_tokens: int, max_completion_tokens: int
) -> tuple[dict[str, Any], list[Finding]]:
    """Spreads of tokens, what the limits cut off, and rows that the chat template refuses."""
    counted = [(row, count_tokens(row)) for row in rows]
    known = [(row, tokens) for row, tokens in counted if tokens is not None]
    refused = [row.number for row, tokens in counted if tokens is None]
    prompts = [row.number for row, tokens in known if tokens.prompt > max_prompt_tokens]
    completions = [
        row.number for row, tokens in known if any(count > max_completion_tokens for count in tokens.completions)
    ]
    lost = "tokens: their end and their stop token are lost"
    found = [
        *_finding("bad", "refused", refused, "{n} that the model's chat template refuses"),
        *_overlong("prompts", prompts, rows, f"prompts longer than {max_prompt_tokens} tokens: only the end is kept"),
        *_overlong("completions", completions, rows, f"replies longer than {max_completion_tokens} {lost}"),
    ]
    used = [_within(tokens, max_prompt_tokens, max_completion_tokens) for _, tokens in known]
    report = {
        "rows": len(rows),
        "prompt": spread([tokens.prompt for _, tokens in known]),
        "completion": spread([count for _, tokens in known for count in tokens.completions]),
        "prompt_cut": spread([tokens.prompt for tokens in used]),  # within the limit
        "tree": spread([tokens.prompt + sum(tokens.completions) for tokens in used]),  # what a row computes
        "padded": spread([_padded(tokens) for tokens in used]),  # what it would compute with padding
    }
    return report, found


def _within(tokens: TokenCounts, max_prompt: int, max_completion: int) -> TokenCounts:
    completions = tuple(min(count, max_completion) for count in tokens.completions)
    return TokenCounts(prompt=min(tokens.prompt, max_prompt), completions=completions)


def _padded(tokens: TokenCounts) -> int:
    return max(1, len(tokens.completions)) * (tokens.prompt + max(tokens.completions, default=0))


def _overlong(what: str, numbers: Sequence[int], rows: Sequence[DataRow], text: str) -> list[Finding]:
    level: Level = "warn" if len(numbers) > MANY * len(rows) else "note"
    return _finding(level, f"overlong_{what}", numbers, "{n} with " + text)


def _blanks(row: DataRow) -> Iterable[tuple[bool, bool]]:
    """Of each completion: whether it is blank, and whether it would have to be learnt."""
    best = min(row.tiers, default=0)
    for index, text in enumerate(row.completions):
        is_better = row.tiers[index] == best if row.tiers else row.label is not False
        yield not text.strip(), is_better and not row.is_ranking  # a ranked reply may be silence, whatever its place


def _plain(text: str) -> str:
    """Without case and runs of white space."""
    return " ".join(text.lower().split())


def _finding(level: Level, name: str, numbers: Sequence[int], text: str) -> list[Finding]:
    if not numbers:
        return []
    count = f"{len(numbers):,} row" + ("s" if len(numbers) > 1 else "")
    sentence = text.replace("{n}", count) + "."
    return [Finding(level=level, name=name, text=sentence, num_rows=len(numbers), rows=list(numbers[:NUM_EXAMPLES]))]
