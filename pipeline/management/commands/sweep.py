"""`manage.py sweep`: one training run for each combination of settings."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model

from accounts.models import Workspace
from annotation.models import Dataset
from core.errors import ConcordError
from generation.models import LanguageModel, PromptSet
from pipeline.sweeps import services
from pipeline.sweeps.grid import grid_from
from training.models import TrainingRun

ROWS: dict[str, type[Model]] = {
    "dataset": Dataset,
    "prompt_set": PromptSet,
    "init_model": LanguageModel,
    "reward_model": LanguageModel,
}


class Command(BaseCommand):
    help = "Queue one training run for each combination of settings, such as --set beta=0.05,0.1,0.2."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the names of its runs begin with it")
        parser.add_argument("--workspace", default="Demo", help="name of an existing workspace (default: Demo)")
        parser.add_argument("--algorithm", required=True, choices=TrainingRun.Algorithm.values)
        parser.add_argument(
            "--set", action="append", default=[], dest="lines", metavar="SETTING=NUMBERS", help="may be repeated"
        )
        parser.add_argument("--config", type=json.loads, default={}, help="JSON: what else differs from the defaults")
        parser.add_argument("--seed", type=int, default=0, help="of the first run of each combination")
        parser.add_argument("--num-seeds", type=int, default=1, help="runs of each combination")
        for name in ROWS:
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            workspace = _row(Workspace, "workspace", name=options["workspace"])
            inputs = {
                name: _row(model, name, pk=options[name], workspace=workspace)
                for name, model in ROWS.items()
                if options[name] is not None
            }
            sweep = services.start_sweep(
                workspace=workspace,
                grid=grid_from(options["lines"]),
                **{name: options[name] for name in ("name", "algorithm", "config", "seed", "num_seeds")},
                **inputs,
            )
        except ConcordError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
        self.stdout.write(f"Sweep {sweep.pk} ({sweep.name}) has queued {sweep.swept_runs.count()} training runs.")


def _row(model: type[Model], noun: str, **wanted: Any) -> Any:
    found = model._default_manager.filter(**wanted).first()
    if found is None:
        said = ", ".join(f"{name} {value}" for name, value in wanted.items())
        raise CommandError(f"There is no {noun.replace('_', ' ')} with {said}.")
    return found
