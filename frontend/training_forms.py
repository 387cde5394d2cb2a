"""The form in which a training run is started: data and models of the right kind, and every setting."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet

from accounts.api.fields import MAX_SEED
from accounts.models import User, Workspace
from annotation.models import Dataset
from core.models import Job
from frontend.access import engineered_workspaces
from frontend.form_rows import Row, Section, rows_of
from frontend.row_choices import RowChoice
from frontend.setting_fields import field_of, initial_of
from generation.models import LanguageModel, PromptSet
from training.algorithms.config import InvalidConfiguration, parse_config
from training.algorithms.settings import Preset, flat, nested, presets_of, settings_of
from training.models import TrainingRun
from training.services import DATASET_KINDS

Algorithm = TrainingRun.Algorithm
ALGORITHM_OF = {  # what is first thought of for data of a kind
    Dataset.Kind.DEMONSTRATIONS: Algorithm.SFT,
    Dataset.Kind.PREFERENCES: Algorithm.DPO,
    Dataset.Kind.RANKINGS: Algorithm.REWARD,
    Dataset.Kind.LABELS: Algorithm.KTO,
}
RUN_FIELDS = ("name", "dataset", "prompt_set", "init_model", "reward_model", "held_out_reward_model", "seed")
OPTIMISER = (
    "learning_rate", "critic_learning_rate", "warmup_steps", "final_learning_rate", "weight_decay", "max_grad_norm",
    "batch_size", "num_epochs", "max_steps", "max_seconds",
)  # fmt: skip
LENGTHS = ("max_prompt_tokens", "max_completion_tokens", "micro_batch_tokens", "groups_by_length", "dtype")
MEASURING = ("eval_every", "eval_examples", "num_samples", "checkpoint_every", "log_every")
FRESH = "fresh."
ADAPTER = "lora"  # the switch, and the beginning of its settings' names
HELD_OUT_JUDGE = "a second reward model, which only measures: the run alerts when it does not follow the score"


class TrainingForm(forms.Form):
    """A new run of one algorithm. The settings begin with its defaults, or with a preset's."""

    name = forms.CharField(max_length=120)
    seed = forms.IntegerField(
        min_value=0, max_value=MAX_SEED, initial=0, help_text="of data order, initial weights and sampling"
    )

    def __init__(self, *args: Any, user: User, algorithm: str, preset: Preset | None = None, **kwargs: Any) -> None:
        self.algorithm = algorithm
        self.settings = settings_of(algorithm)
        values = {one.name: one.default for one in self.settings} | (flat(preset.fields) if preset else {})
        first = {one.name: initial_of(one, values[one.name]) for one in self.settings}
        kwargs["initial"] = {**first, **kwargs.get("initial", {})}
        super().__init__(*args, **kwargs)
        self.fields |= _inputs(user, algorithm)
        self.fields |= {one.name: field_of(one) for one in self.settings}
        for name in RUN_FIELDS:
            if name in self.fields:
                self.fields[name].widget.attrs["class"] = "carried"  # along to another algorithm or preset

    def clean(self) -> dict[str, Any]:
        """Everything in one workspace, and settings that agree with each other."""
        said: dict[str, Any] = super().clean() or {}
        for name in ("init_model", "reward_model", "held_out_reward_model"):
            model = said.get(name)
            if model is not None and self.workspace is not None and model.workspace_id != self.workspace.pk:
                self.add_error(name, f"It belongs to {model.workspace}, the data to {self.workspace}.")
        if not self.errors:
            try:
                parse_config(self.algorithm, self.config)
            except InvalidConfiguration as error:
                self.add_error(self.setting_named_in(str(error)), str(error))
        return said

    @property
    def workspace(self) -> Workspace | None:
        """Where the run goes: to its data."""
        data = self.cleaned_data.get("dataset") or self.cleaned_data.get("prompt_set")
        return data.workspace if data else None

    @property
    def config(self) -> dict[str, Any]:
        """The settings as `parse_config` reads them; an empty number that may not be null is left out."""
        said = {one.name: self.cleaned_data.get(one.name) for one in self.settings}
        known = {one.name: one.may_be_null for one in self.settings}
        return nested({name: value for name, value in said.items() if value is not None or known[name]})

    @property
    def inputs(self) -> dict[str, Any]:
        """The fields of `start_training_run` besides workspace, algorithm, configuration and user."""
        return {name: self.cleaned_data[name] for name in RUN_FIELDS if name in self.fields}

    def setting_named_in(self, message: str) -> str | None:
        """The field that an error is about: the first that it names. None: it names none."""
        places = {name: _place(name, message) for name in self.fields}
        named = {name: place for name, place in places.items() if place is not None}
        return min(named, key=lambda name: (named[name], -len(name))) if named else None

    @property
    def run_rows(self) -> list[Row]:
        return rows_of(self, [name for name in RUN_FIELDS if name in self.fields], {})

    @property
    def sections(self) -> list[Section]:
        """The settings by what they are about; those of the algorithm itself come first."""
        own = [one.name for one in self.settings if not one.is_common]
        grouped = {name for names in (OPTIMISER, LENGTHS, MEASURING) for name in names}
        adapter = [one.name for one in self.settings if one.name.startswith(ADAPTER)]
        further = [one.name for one in self.settings if one.is_common and one.name not in {*grouped, *adapter}]
        titles: Mapping[str, Iterable[str]] = {
            TrainingRun.Algorithm(self.algorithm).label: [
                name for name in own if not name.startswith((FRESH, ADAPTER)) and name not in grouped
            ],
            "Optimiser": OPTIMISER,
            "Lengths and memory": LENGTHS,
            "Evaluations and checkpoints": [*MEASURING, *further],
            "Adapter (LoRA), instead of all weights": adapter,
            "Fresh model, where the run starts from none": [name for name in own if name.startswith(FRESH)],
        }
        shown = {title: [name for name in names if name in self.fields] for title, names in titles.items()}
        return [Section(title=title, rows=rows_of(self, names, {})) for title, names in shown.items() if names]


def preset_named(algorithm: str, name: str) -> Preset | None:
    """The preset of the algorithm; None if it has none of that name."""
    return next((one for one in presets_of(algorithm) if one.name == name), None)


def trainable_datasets(user: User, algorithm: str) -> QuerySet[Dataset]:
    """Frozen datasets that the algorithm can learn from."""
    rows = Dataset.objects.visible_to(user).filter(kind__in=DATASET_KINDS.get(algorithm, ()))
    found: QuerySet[Dataset] = rows.filter(status=Job.Status.FINISHED).select_related("workspace")
    return found


def trainable_models(user: User, kind: str) -> QuerySet[LanguageModel]:
    """Models of this kind whose weights can be loaded."""
    rows = LanguageModel.objects.visible_to(user).filter(kind=kind)
    without = {LanguageModel.Source.SERVED, LanguageModel.Source.NAMED}
    found: QuerySet[LanguageModel] = rows.exclude(source__in=without).select_related("workspace")
    return found


def algorithm_for(user: User, dataset_id: str) -> str:
    """What one would train on this dataset first; without one, SFT: it is where everything begins."""
    if not (dataset_id.isascii() and dataset_id.isdecimal() and len(dataset_id) < 18):
        return Algorithm.SFT
    found = Dataset.objects.visible_to(user).filter(pk=int(dataset_id)).first()
    return ALGORITHM_OF[Dataset.Kind(found.kind)] if found else Algorithm.SFT


def _inputs(user: User, algorithm: str) -> dict[str, forms.Field]:
    """The data and models that this algorithm takes."""
    shared = {"names_workspace": engineered_workspaces(user).count() > 1}
    policies = trainable_models(user, LanguageModel.Kind.POLICY)
    start: dict[str, Any] = {"label": "Starts from", **shared}
    if algorithm != Algorithm.PPO:
        fields: dict[str, forms.Field] = {
            "dataset": RowChoice(trainable_datasets(user, algorithm), empty_label="Choose …", **shared)
        }
        if algorithm == Algorithm.SFT:
            start |= {"required": False, "empty_label": "fresh weights, and a tokenizer of its own"}
        return fields | {"init_model": RowChoice(policies, **start)}
    prompts = PromptSet.objects.visible_to(user).select_related("workspace")
    rewards = trainable_models(user, LanguageModel.Kind.REWARD)
    return {
        "prompt_set": RowChoice(prompts, label="Prompts", empty_label="Choose …", **shared),
        "init_model": RowChoice(policies, **start),
        "reward_model": RowChoice(rewards, **shared),
        "held_out_reward_model": RowChoice(
            rewards, label="Held-out judge", required=False, empty_label="none", help_text=HELD_OUT_JUDGE, **shared
        ),
    }


def _place(name: str, message: str) -> int | None:
    """Where a message names a setting, as a word of its own."""
    found = re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.]*\w)", message)
    return found.start() if found else None
