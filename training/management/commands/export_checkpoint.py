"""`manage.py export_checkpoint`: a checkpoint as a Hugging Face folder on this machine."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import ConcordError
from training import model_export
from training.models import Checkpoint


class Command(BaseCommand):
    help = "Write a checkpoint as a folder that transformers, vLLM and model hubs read."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("checkpoint", type=int, help="its id, from its page's address or REST")
        parser.add_argument("folder", type=Path, help="a new folder; its parent need not exist")
        parser.add_argument("--form", choices=model_export.FORMS, default=model_export.MODEL)

    def handle(self, *args: Any, **options: Any) -> None:
        related = ("run__init_model", "language_model")
        checkpoint = Checkpoint.objects.select_related(*related).filter(pk=options["checkpoint"]).first()
        if checkpoint is None:
            raise CommandError(f"There is no checkpoint {options['checkpoint']}.")
        folder = options["folder"].expanduser().resolve()
        try:
            model_export.write_folder(checkpoint, folder, options["form"])
        except ConcordError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
        self.stdout.write(f"{checkpoint} is in {folder}.")
