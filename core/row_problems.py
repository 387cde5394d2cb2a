"""Rows of an imported file that could not be imported, and the refusal of an import because of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.errors import ConcordError

MAX_PROBLEMS_KEPT = 1000
MAX_PROBLEMS_SHOWN = 20


class RowsRefused(ConcordError):
    """Some rows are malformed and were not to be passed over, or none is usable: nothing was imported."""

    status = 422
    title = "Nothing was imported"


@dataclass(frozen=True, kw_only=True)
class RowProblem:
    """A row that could not be imported."""

    file: str
    row: int  # line of JSON Lines, element of a JSON array, row below the header of a CSV, row of Parquet; from 1
    reason: str


@dataclass(kw_only=True)
class RowTally:
    """How many rows were read so far, and what was wrong with them."""

    num_rows: int = 0
    num_malformed: int = 0
    problems: list[RowProblem] = field(default_factory=list)  # the first of them

    def note(self, problem: RowProblem) -> None:
        self.num_malformed += 1
        if len(self.problems) < MAX_PROBLEMS_KEPT:
            self.problems.append(problem)

    def refusal(self) -> RowsRefused:
        """The error that names the malformed rows."""
        shown = "; ".join(f"{one.file} row {one.row}: {one.reason}" for one in self.problems[:MAX_PROBLEMS_SHOWN])
        rest = self.num_malformed - min(MAX_PROBLEMS_SHOWN, len(self.problems))
        more = f"; and {rest} more" if rest else ""
        return RowsRefused(
            f"{self.num_malformed} of {self.num_rows} rows are malformed: {shown}{more}.",
            problems=[vars(one) for one in self.problems],
        )
