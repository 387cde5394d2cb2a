"""`manage.py serve_model NAME`: one model behind vLLM on this machine, until Ctrl-C."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import ConcordError
from core.supervisor import stop_on_signals
from generation import serving
from generation.models import LanguageModel
from generation.vllm_command import ServeOptions


class Command(BaseCommand):
    help = "Serve a registered model, or the checkpoint in a folder, through vLLM until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="a registered model's name, or the folder of a model or checkpoint")
        parser.add_argument("--workspace", help="the model's workspace, where several have a model of this name")
        parser.add_argument("--port", type=int, default=8001)
        parser.add_argument("--dtype", default="auto", choices=["auto", "bfloat16", "float16", "float32"])
        parser.add_argument("--max-context", type=int, metavar="TOKENS", help="of prompt and reply together")
        parser.add_argument(
            "--adapter", action="append", default=[], metavar="NAME=FOLDER", help="a LoRA adapter; may be repeated"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stop_on_signals()
        try:
            self._serve(options)
        except ConcordError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
        except KeyboardInterrupt:
            self.stdout.write("\nStopped.")

    def _serve(self, options: dict[str, Any]) -> None:
        model = self._model(options["name"], options["workspace"])
        self.stdout.write(f"Starting vLLM for {model or options['name']} …")
        serve_options = ServeOptions(
            port=options["port"],
            dtype=options["dtype"],
            max_context=options["max_context"],
            adapters=dict(_adapter(text) for text in options["adapter"]),
        )
        if model is None:
            folder = str(Path(options["name"]).expanduser().resolve())
            context = serving.serve(folder, served_name=Path(folder).name, options=serve_options)
        else:
            context = serving.managed_server(model, options=serve_options)
        with context as server:
            self.stdout.write(f"{server.served_name} is served at {server.url}/v1 (log: {server.log})")
            if model is not None:
                self.stdout.write(f"Registered as {serving.register(model, server)!s} in {model.workspace}.")
            self.stdout.write("Ctrl-C stops it.")
            while True:
                server.check()
                time.sleep(1.0)

    def _model(self, name: str, workspace: str | None) -> LanguageModel | None:
        """The registered model, or None for a folder that is not registered."""
        found = LanguageModel.objects.filter(name=name).select_related("workspace")
        if workspace:
            found = found.filter(workspace__name=workspace)
        models = list(found)
        if len(models) > 1:
            where = ", ".join(str(model.workspace) for model in models)
            raise CommandError(f"Several workspaces have a model called {name!r} ({where}); name one with --workspace.")
        if not models and not Path(name).expanduser().is_dir():
            raise CommandError(f"There is neither a registered model nor a folder called {name!r}.")
        return models[0] if models else None


def _adapter(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not name or not folder:
        raise CommandError(f"--adapter wants NAME=FOLDER, got {text!r}.")
    return name, Path(folder).expanduser().resolve()
