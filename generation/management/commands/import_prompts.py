"""`manage.py import_prompts`: prompts that were collected elsewhere, from files or folders of this machine."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Workspace
from core import source_files
from core.errors import ConcordError
from generation.prompt_import import service
from generation.prompt_import.columns import ColumnMapping
from generation.prompt_import.dialogues import TURNS
from generation.prompt_import.layouts import TITLES, ImportOptions
from generation.prompt_lines import NewPrompt

NUM_PROBLEMS_SHOWN = 20


class Command(BaseCommand):
    help = "Import prompts into a prompt set, which is made if it is missing; importing them again adds nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, help="files (.gz and .zip too) or folders of one import")
        parser.add_argument("--workspace", default="Demo", help="name of an existing workspace (default: Demo)")
        parser.add_argument("--name", help="of the prompt set (default: the first path's name)")
        parser.add_argument("--layout", default="", choices=list(TITLES), help="unless given, it is recognised")
        parser.add_argument("--turns", default="last", choices=TURNS, help="of conversations (default: last)")
        parser.add_argument("--no-references", action="store_true", help="leave the file's replies out")
        for name in ("prompt", "system", "reference", "sensitive"):
            parser.add_argument(f"--{name}", default="", metavar="COLUMN", help=f"a table's column: {name}")
        parser.add_argument("--tags", action="append", default=[], metavar="COLUMN", help="again for more")
        parser.add_argument("--skip-near-duplicates", action="store_true", help="pass over what says the same")
        parser.add_argument("--skip-malformed", action="store_true", help="pass over malformed rows and report them")
        parser.add_argument("--held-out-fraction", type=float, default=0.3, help="of a new set (default: 0.3)")
        parser.add_argument("--preview", action="store_true", help="show what the first rows would become, no more")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            files = [file for path in options["paths"] for file in source_files.from_path(path)]
            reading = _reading(options)
            if options["preview"]:
                self._preview(service.preview_prompts(files=files, options=reading))
                return
            report = service.import_prompt_set(
                workspace=_workspace(options["workspace"]),
                name=options["name"] or options["paths"][0].resolve().name.split(".")[0],
                files=files,
                options=reading,
                skip_malformed=options["skip_malformed"],
                skip_near_duplicates=options["skip_near_duplicates"],
                held_out_fraction=options["held_out_fraction"],
            )
        except ConcordError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
        self._report(report)

    def _preview(self, preview: service.PromptPreview) -> None:
        self.stdout.write(f"Layout: {preview.title} ({preview.layout})")
        if preview.columns:
            self.stdout.write(f"Columns: {_columns(preview.columns)}; of {', '.join(preview.columns_found)}")
        for row in preview.rows:
            if row.problem:
                self.stdout.write(f"{row.file} row {row.number}: malformed, {row.problem}")
            for prompt in row.prompts:
                self.stdout.write(f"{row.file} row {row.number}: {_in_words(prompt)}")

    def _report(self, report: service.PromptImport) -> None:
        near = "passed over" if report.is_skipping_near_duplicates else "added all the same"
        self.stdout.write(
            f"Prompt set {report.prompt_set.pk} ({report.prompt_set}): {report.num_added} prompts added, "
            f"{report.num_known} known, {report.num_repeated} repeated in the files, {report.num_near_duplicates} "
            f"near-duplicates ({near}). Layout: {report.layout}; {report.num_rows} rows, "
            f"{report.num_without_prompts} without a prompt, {report.num_malformed} passed over."
        )
        for problem in report.problems[:NUM_PROBLEMS_SHOWN]:
            self.stdout.write(f"  {problem.file} row {problem.row}: {problem.reason}")
        if report.num_malformed > NUM_PROBLEMS_SHOWN:
            self.stdout.write(f"  and {report.num_malformed - NUM_PROBLEMS_SHOWN} more")


def _reading(options: dict[str, Any]) -> ImportOptions:
    columns = ColumnMapping(
        prompt=options["prompt"],
        system=options["system"],
        reference=options["reference"],
        tags=tuple(options["tags"]),
        is_sensitive=options["sensitive"],
    )
    return ImportOptions(
        layout=options["layout"],
        columns=columns,
        turns=options["turns"],
        has_references=not options["no_references"],
    )


def _columns(mapping: ColumnMapping) -> str:
    named = {**vars(mapping), "tags": ", ".join(mapping.tags)}
    return ", ".join(f"{name} is {column!r}" for name, column in named.items() if column)


def _in_words(prompt: NewPrompt) -> str:
    text = prompt.messages[-1]["content"].replace("\n", " ")[:80]
    reference = f" → {prompt.reference[:40]!r}" if prompt.reference else ""
    tags = f" [{', '.join(prompt.tags)}]" if prompt.tags else ""
    sensitive = ", sensitive" if prompt.is_sensitive else ""
    return f"{len(prompt.messages)} turn(s), {text!r}{reference}{tags}{sensitive}"


def _workspace(name: str) -> Workspace:
    workspace = Workspace.objects.filter(name=name).first()
    if workspace is None:
        names = ", ".join(Workspace.objects.values_list("name", flat=True)) or "none"
        raise CommandError(f"There is no workspace called {name!r}; there are: {names}.")
    return workspace
