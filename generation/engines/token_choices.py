"""Which tokens may come next when a reply must be one of several texts: a tree of their tokens."""

from __future__ import annotations

from collections.abc import Sequence


class ChoiceTree:
    """All beginnings of the texts, as token ids. An end token may follow where a text is complete."""

    def __init__(self, texts: Sequence[Sequence[int]], *, end_tokens: Sequence[int]) -> None:
        """`texts` are the choices as token ids, none of them empty; `end_tokens` any of those that end a reply."""
        self.longest = max(map(len, texts)) + 1  # tokens of the longest choice, its end included
        self._next: dict[tuple[int, ...], set[int]] = {}
        for text in texts:
            for place, token in enumerate(text):
                self._next.setdefault(tuple(text[:place]), set()).add(token)
            self._next.setdefault(tuple(text), set()).update(end_tokens)

    def next(self, reply: Sequence[int]) -> list[int]:
        """The token ids that may follow these, by rising id."""
        return sorted(self._next[tuple(reply)])
