"""The form in which a sweep is written."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from accounts.api.fields import MAX_SEED
from accounts.models import User, Workspace
from annotation.models import Dataset
from core.errors import ConcordError
from core.models import Job
from frontend.access import engineered_workspaces
from frontend.schedule_forms import ObjectTextField, trainable_models, whole_number
from generation.models import LanguageModel, PromptSet
from pipeline.sweeps.grid import MAX_SEEDS, grid_from, numeric_settings
from pipeline.sweeps.services import MAX_NAME
from training.algorithms.config import config_fields
from training.models import TrainingRun
from training.services import checked_config

Algorithm = TrainingRun.Algorithm
INPUTS = ("dataset", "prompt_set", "init_model", "reward_model")
SECTIONS = {
    "What is swept": ("name", "algorithm", "grid", "num_seeds", "seed"),
    "What is the same in all runs": (*INPUTS, "config"),
}


class GridField(forms.CharField):
    """One setting a line, its values after an equals sign."""

    def __init__(self, **options: Any) -> None:
        placeholder = "beta = 0.05, 0.1, 0.2\nlearning_rate = 5e-6, 1e-5"
        attrs = {"rows": 4, "spellcheck": "false", "class": "code", "placeholder": placeholder}
        super().__init__(max_length=5_000, widget=forms.Textarea(attrs=attrs), **options)

    def clean(self, value: Any) -> dict[str, list[int | float]]:
        try:
            return grid_from([line for line in super().clean(value).splitlines() if line.strip()])
        except ConcordError as error:
            raise forms.ValidationError(error.detail) from error


class SweepForm(forms.Form):
    """Everything about a sweep. It belongs to the workspace of its data."""

    name = forms.CharField(max_length=MAX_NAME, help_text="The names of its runs begin with it.")
    algorithm = forms.ChoiceField(choices=Algorithm.choices, initial=Algorithm.DPO)
    grid = GridField(label="Settings and their values", help_text="One setting a line; every combination is a run.")
    num_seeds = whole_number(1, MAX_SEEDS, initial=1, label="Seeds", help_text="Runs of each combination.")
    seed = forms.IntegerField(min_value=0, max_value=MAX_SEED, initial=0, label="First seed")
    dataset = forms.ModelChoiceField(
        queryset=Dataset.objects.none(), required=False, empty_label="none", help_text="Of all algorithms but PPO."
    )
    init_model = forms.ModelChoiceField(
        queryset=LanguageModel.objects.none(), required=False, empty_label="fresh weights (SFT)", label="Starts from"
    )
    prompt_set = forms.ModelChoiceField(
        queryset=PromptSet.objects.none(), required=False, empty_label="none", label="Prompts", help_text="Of PPO."
    )
    reward_model = forms.ModelChoiceField(
        queryset=LanguageModel.objects.none(), required=False, empty_label="none", help_text="Of PPO."
    )
    config = ObjectTextField(label="Configuration", help_text="What else differs from the algorithm’s defaults.")

    def __init__(self, *args: Any, user: User, run: TrainingRun | None = None, **kwargs: Any) -> None:
        """`run`: the form begins with the inputs and settings of this one."""
        if run is not None:
            kwargs["initial"] = _as_in(run)
        super().__init__(*args, **kwargs)
        workspaces = engineered_workspaces(user)
        models = LanguageModel.objects.filter(workspace__in=workspaces).order_by("name")
        choices: dict[str, Any] = {
            "dataset": Dataset.objects.filter(workspace__in=workspaces, status=Job.Status.FINISHED).order_by("-pk"),
            "init_model": trainable_models(workspaces),
            "prompt_set": PromptSet.objects.filter(workspace__in=workspaces).order_by("name"),
            "reward_model": models.filter(kind=LanguageModel.Kind.REWARD),
        }
        for name, queryset in choices.items():
            self.fields[name].queryset = queryset  # type: ignore[attr-defined] # these have one

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if not self.errors and self.workspace is None:
            self.add_error("dataset", "Choose what to train on: a dataset, or prompts for PPO.")
        return said

    @property
    def sections(self) -> list[tuple[str, list[forms.BoundField]]]:
        return [(title, [self[name] for name in names]) for title, names in SECTIONS.items()]

    @property
    def workspace(self) -> Workspace | None:
        """That of the data."""
        data = self.cleaned_data.get("dataset") or self.cleaned_data.get("prompt_set")
        return data.workspace if data else None

    @property
    def known_settings(self) -> dict[str, Any]:
        """What can be swept for the chosen algorithm, with the defaults."""
        algorithm = self["algorithm"].value()
        return numeric_settings(algorithm if algorithm in Algorithm.values else Algorithm.DPO)


def _as_in(run: TrainingRun) -> dict[str, Any]:
    """The inputs of a run, and where its settings differ from the defaults."""
    defaults = config_fields(checked_config(run.algorithm, {}))
    config = {name: value for name, value in run.config.items() if value != defaults.get(name)}
    rows = {name: getattr(run, f"{name}_id") for name in INPUTS}
    return {**rows, "name": f"{run.name} sweep"[:MAX_NAME], "algorithm": run.algorithm, "seed": run.seed} | {
        "config": json.dumps(config, indent=2, ensure_ascii=False)
    }
