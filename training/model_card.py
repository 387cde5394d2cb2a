"""A run as a model card: what was trained, on what, from what, with what, and how it measures. Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from generation.models import LanguageModel
from training.algorithms.settings import flat
from training.models import Metric, TrainingRun

MAX_ANCESTORS = 20
UNKNOWN = "not recorded"


def model_card(run: TrainingRun) -> str:
    """The card of a run in whatever state it is."""
    parts = (_front, _head, _lineage, _settings, _made_with, _data, _measured, _files)
    written = ["\n".join(part(run)).rstrip() for part in parts]
    return "\n\n".join(text for text in written if text) + "\n"


def _front(run: TrainingRun) -> Iterator[str]:
    """What model hubs read."""
    yield "---"
    yield "library_name: transformers"
    yield f"tags: {json.dumps(['concord', run.algorithm])}"
    if run.init_model is not None and run.init_model.source == LanguageModel.Source.HUB:
        yield f"base_model: {json.dumps(run.init_model.location)}"
    yield "---"


def _head(run: TrainingRun) -> Iterator[str]:
    yield f"# {plain(run.name)}"
    yield ""
    yield f"{run.get_algorithm_display()}, training run {run.pk}, {run.get_status_display().lower()}."
    if run.error:
        yield f"It failed: {plain(run.error)}"
    if run.finished_at is not None:
        who = f" by {plain(run.created_by.get_username())}" if run.created_by else ""
        yield f"Started{who}, ended {run.finished_at:%Y-%m-%d %H:%M} UTC after {run.num_done:,} steps."


def _lineage(run: TrainingRun) -> Iterator[str]:
    yield "## Where it comes from"
    yield ""
    rows: list[tuple[str, str]] = []
    if run.dataset is not None:
        rows.append(("Dataset", f"{plain(run.dataset.name)} (id {run.dataset_id}, {run.dataset.num_rows:,} rows)"))
        rows.append(("Dataset SHA-256", code(run.dataset.sha256)))
        judged = run.dataset.campaigns.order_by("pk")
        rows += [("Judgments of", f"{plain(one.name)} (campaign {one.pk})") for one in judged]
    if run.prompt_set is not None:
        rows.append(("Prompts", f"{plain(run.prompt_set.name)} (id {run.prompt_set_id})"))
        rows.append(("Source", plain(run.prompt_set.source or UNKNOWN)))
        rows.append(("Licence", plain(run.prompt_set.licence or UNKNOWN)))
    for place, model in enumerate(ancestors(run.init_model)):
        rows.append(("Starts from" if place == 0 else "which came from", described(model)))
    if run.init_model is None:
        rows.append(("Starts from", "fresh weights, and a tokenizer trained on the data"))
    if run.reward_model is not None:
        rows.append(("Reward model", described(run.reward_model)))
    if run.held_out_reward_model is not None:
        rows.append(("Held-out reward model", described(run.held_out_reward_model)))
    yield from table(("", ""), rows)


def _settings(run: TrainingRun) -> Iterator[str]:
    yield "## How it was trained"
    yield ""
    values = [("seed", run.seed), *flat(run.config).items()]
    yield from table(("Setting", "Value"), [(f"`{name}`", plain(json.dumps(value))) for name, value in values])


def _made_with(run: TrainingRun) -> Iterator[str]:
    yield "## What it was made with"
    yield ""
    made = run.provenance
    packages = ", ".join(f"{name} {number}" for name, number in made.get("packages", {}).items() if number)
    yield from table(
        ("", ""),
        [
            ("Code revision", code(made.get("code_revision", ""))),
            ("Training code, SHA-256", code(made.get("trainer_sha256", ""))),
            ("Lock file, SHA-256", code(made.get("lock_sha256", ""))),
            ("Chat template, SHA-256", code(made.get("template_sha256", ""))),
            ("Order (spec.json), SHA-256", code(run.spec_sha256)),
            ("Python", plain(made.get("python", "") or UNKNOWN)),
            ("Packages", plain(packages or UNKNOWN)),
        ],
    )


def _data(run: TrainingRun) -> Iterator[str]:
    report = run.data_report.report if run.data_report else {}
    if not report:
        return
    yield "## Its data"
    yield ""
    for split, title in (("train", "trained on"), ("held_out", "held out")):
        counted = report["splits"][split]
        yield f"- {counted['rows']:,} rows {title}, of {counted['prompts']:,} prompts"
    yield from (f"- {plain(finding['text'])}" for finding in report["findings"])


def _measured(run: TrainingRun) -> Iterator[str]:
    last = run.metrics.filter(kind=Metric.Kind.EVALUATION).order_by("-step").first()
    models = [one.language_model for one in run.checkpoints.select_related("language_model") if one.language_model]
    results = [result for model in models for result in model.evaluation_results.select_related("run")]
    if last is None and not results:
        return
    yield "## How it measures"
    yield ""
    if last is not None:
        rows = [(name.replace("_", " "), f"{value:.4g}") for name, value in sorted(last.values.items())]
        yield from table((f"On held-out rows after step {last.step}", "Value"), rows)
        yield ""
    if results:
        shown = [
            (
                plain(one.run.name),
                one.metric.replace("_", " "),
                f"{one.value:.3f}",
                f"{one.low:.3f} – {one.high:.3f}",
                str(one.num_items),
            )
            for one in results
        ]
        yield from table(("Evaluation", "Metric", "Value", "95 % interval", "n"), shown)


def _files(run: TrainingRun) -> Iterator[str]:
    checkpoints = list(run.checkpoints.select_related("language_model").order_by("step"))
    if not checkpoints:
        return
    yield "## Its weights"
    yield ""
    rows = [
        (
            f"{one.step}{', final' if one.is_final else ''}",
            code(one.manifest_sha256),
            plain(one.language_model or "not published"),
        )
        for one in checkpoints
    ]
    yield from table(("Step", "Manifest, SHA-256", "Published as"), rows)


def ancestors(model: LanguageModel | None) -> list[LanguageModel]:
    """A model, its parent, and so on."""
    found: list[LanguageModel] = []
    while model is not None and model not in found and len(found) < MAX_ANCESTORS:
        found.append(model)
        model = model.parent
    return found


def described(model: LanguageModel) -> str:
    where = f", {code(model.location)}" if model.source == LanguageModel.Source.HUB else ""
    checkpoint = getattr(model, "checkpoint", None)
    made = f", step {checkpoint.step} of training run {checkpoint.run_id}" if checkpoint else ""
    return f"{plain(model.name)} (model {model.pk}{where}{made})"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table of cells that are Markdown already."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def code(text: str) -> str:
    """A hash or a name as it is; one that could end the code is shown without."""
    return f"`{text}`" if text and not set("`|\n") & set(text) else plain(text) or UNKNOWN


def plain(text: Any) -> str:
    """Somebody's words on one line, which no Markdown in them can leave."""
    line = " ".join(str(text).split())
    for character in "\\|`*_[]<>#":
        line = line.replace(character, f"\\{character}")
    return line
