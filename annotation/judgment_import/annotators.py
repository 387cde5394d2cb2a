"""The annotators behind imported votes: pseudonymous, and the same again when a file is imported again."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.crypto import salted_hmac

from annotation.judgment_import.votes import SourceAnnotator
from annotation.models import Annotator, Campaign, Enrolment
from core.errors import ConcordError

MAX_NAME_CHARACTERS = 120
NUM_DIGITS = 12


class AnnotatorTaken(ConcordError):
    """A name that imported annotators get belongs to somebody who answers here."""

    status = 409
    title = "These annotators cannot be added"


class ImportedAnnotators:
    """Finds or makes the annotators of one campaign."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self._ids: dict[SourceAnnotator, int] = {}

    @property
    def num_seen(self) -> int:
        return len(self._ids)

    def ids(self, wanted: Sequence[SourceAnnotator]) -> list[int]:
        """Their annotators' ids, in order. Raises `AnnotatorTaken`."""
        if unknown := {source: self.name_of(source) for source in wanted if source not in self._ids}:
            self._make(unknown)
        return [self._ids[source] for source in wanted]

    def name_of(self, source: SourceAnnotator) -> str:
        """A judge is called by its name; a person by a code that only this installation can make from their id."""
        code = salted_hmac(
            "annotation.judgment_import", f"{self.campaign.pk}:{source.kind}:{source.id}", algorithm="sha256"
        ).hexdigest()[:NUM_DIGITS]
        name = {
            "person": f"{self.campaign.name[:90]} · {code}",
            "judge": f"{source.id} · {self.campaign.name}",
            "labels": f"Labels of {self.campaign.name}" + (f" ({source.id})" if source.id else ""),
        }[source.kind]
        return name if len(name) <= MAX_NAME_CHARACTERS else f"{name[: MAX_NAME_CHARACTERS - NUM_DIGITS - 1]} {code}"

    def _make(self, names: dict[SourceAnnotator, str]) -> None:
        workspace = self.campaign.workspace_id
        kinds = {name: source.kind for source, name in names.items()}
        Annotator.objects.bulk_create(
            [
                Annotator(
                    workspace_id=workspace, kind=Annotator.Kind.IMPORTED, name=name, parameters={"source": kinds[name]}
                )
                for name in sorted(kinds)
            ],
            ignore_conflicts=True,
        )
        rows = {row.name: row for row in Annotator.objects.filter(workspace=workspace, name__in=kinds)}
        if taken := [name for name, row in rows.items() if row.kind != Annotator.Kind.IMPORTED]:
            raise AnnotatorTaken(f"{taken[0]!r} is an annotator who answers here; import under another name.")
        self._ids |= {source: rows[name].pk for source, name in names.items()}
        Enrolment.objects.bulk_create(
            [Enrolment(campaign=self.campaign, annotator=row, is_active=False) for row in rows.values()],
            ignore_conflicts=True,
        )
