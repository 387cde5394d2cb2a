"""`manage.py import_judgments`: judgments that were collected elsewhere, from files or folders of this machine."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Workspace
from annotation.judgment_import import service
from annotation.judgment_import.layouts import TITLES
from annotation.judgment_import.preview import answer_words
from core import source_files as files
from core.errors import ConcordError

NUM_PROBLEMS_SHOWN = 20


class Command(BaseCommand):
    help = "Import judgments with their annotators as a closed campaign; importing them again adds nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, help="files (.gz and .zip too) or folders of one import")
        parser.add_argument("--workspace", default="Demo", help="name of an existing workspace (default: Demo)")
        parser.add_argument("--name", help="of the campaign (default: the first path's name)")
        parser.add_argument("--layout", choices=sorted(TITLES), help="unless given, it is recognised")
        parser.add_argument("--skip-malformed", action="store_true", help="pass over malformed rows and report them")
        parser.add_argument("--held-out-fraction", type=float, default=0.1, help="of new prompts (default: 0.1)")
        parser.add_argument("--preview", action="store_true", help="show what the first rows would become, no more")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = [file for path in options["paths"] for file in files.from_path(path)]
            if options["preview"]:
                self._preview(service.preview_judgments(files=found, layout=options["layout"]))
                return
            report = service.import_judgments(
                workspace=_workspace(options["workspace"]),
                name=options["name"] or options["paths"][0].resolve().name.split(".")[0],
                files=found,
                layout=options["layout"],
                skip_malformed=options["skip_malformed"],
                held_out_fraction=options["held_out_fraction"],
            )
        except ConcordError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
        self._report(report)

    def _preview(self, preview: service.JudgmentPreview) -> None:
        self.stdout.write(f"Layout: {preview.title} ({preview.layout})")
        for row in preview.rows:
            if row.problem:
                self.stdout.write(f"{row.file} row {row.row}: malformed, {row.problem}")
            for one in row.votes:
                prompt = one.vote.messages[-1]["content"].replace("\n", " ")[:60]
                self.stdout.write(
                    f"{row.file} row {row.row}: {len(one.replies)} replies to {prompt!r}: {answer_words(one)}"
                )

    def _report(self, report: service.JudgmentImport) -> None:
        revised = f" ({report.num_revised} of them revise earlier ones)" if report.num_revised else ""
        self.stdout.write(
            f"Campaign {report.campaign.pk} ({report.campaign}): {report.num_added} judgments added{revised}, "
            f"{report.num_known} known; {report.num_comparisons} comparisons, {report.num_completions} completions and "
            f"{report.num_prompts} prompts are new; {report.num_annotators} annotators. Layout: {report.layout}; "
            f"{report.num_rows} rows, {report.num_without_votes} without a vote, {report.num_malformed} passed over."
        )
        for problem in report.problems[:NUM_PROBLEMS_SHOWN]:
            self.stdout.write(f"  {problem.file} row {problem.row}: {problem.reason}")
        if report.num_malformed > NUM_PROBLEMS_SHOWN:
            self.stdout.write(f"  and {report.num_malformed - NUM_PROBLEMS_SHOWN} more")


def _workspace(name: str) -> Workspace:
    workspace = Workspace.objects.filter(name=name).first()
    if workspace is None:
        names = ", ".join(Workspace.objects.values_list("name", flat=True)) or "none"
        raise CommandError(f"There is no workspace called {name!r}; there are: {names}.")
    return workspace
