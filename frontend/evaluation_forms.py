"""The forms in which evaluations are started: a win rate, or the accuracy on held-out pairs."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.db.models import Count, Q, QuerySet

from accounts.api.fields import MAX_SEED
from accounts.models import User, Workspace
from annotation.models import Annotator, Dataset
from core.models import Job
from evaluation.models import EvaluationRun
from frontend.access import engineered_workspaces
from frontend.form_rows import Row, rows_of
from frontend.row_choices import RowChoice, RowChoices
from generation.models import LanguageModel, SamplingRun

Kind = EvaluationRun.Kind
CARRIED = ("name", "seed", "sampling_run", "dataset")  # along to a form of the other kind, or with other models
WITHOUT_WEIGHTS = {LanguageModel.Source.SERVED, LanguageModel.Source.NAMED}


class EvaluationForm(forms.Form):
    """What both kinds have."""

    kind = ""
    data_field = ""  # the field that the workspace is read from

    name = forms.CharField(max_length=120)
    seed = forms.IntegerField(min_value=0, max_value=MAX_SEED, initial=0, help_text="of the bootstrap behind intervals")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inputs = self.inputs_for(user)
        self.fields = {name: self.fields[name] for name in ("name", "seed")} | inputs
        for name in CARRIED:
            if name in self.fields:
                self.fields[name].widget.attrs["class"] = "carried"

    def inputs_for(self, user: User) -> dict[str, forms.Field]:
        raise NotImplementedError

    @property
    def workspace(self) -> Workspace:
        """Where the evaluation goes: to its data."""
        found: Workspace = self.cleaned_data[self.data_field].workspace
        return found

    @property
    def inputs(self) -> dict[str, Any]:
        """The fields of `start_evaluation` besides workspace and user."""
        return {"kind": self.kind, **self.cleaned_data}

    @property
    def rows(self) -> list[Row]:
        return rows_of(self, ["name", *list(self.fields)[2:], "seed"], {})

    def field_named_in(self, message: str) -> str | None:
        """The field that an error is about: the first that it names, or whose chosen row it names."""
        for name in self.fields:
            chosen = self.cleaned_data.get(name)
            rows = [str(row) for row in chosen] if isinstance(chosen, QuerySet) else [str(chosen)] if chosen else []
            if re.search(rf"\b{name}\b", message) or any(len(row) > 2 and row in message for row in rows):
                return name
        return None


class WinRateForm(EvaluationForm):
    """Completions of one sampling run, the models' against the baseline's, by a judge."""

    kind = Kind.WIN_RATE
    data_field = "sampling_run"

    conflict = forms.ChoiceField(
        choices=[("", "as the judge has it"), *EvaluationRun.Conflict.choices],
        required=False,
        label="Orders that disagree are",
        help_text="An LLM judge sees each pair in both orders.",
    )
    uses_managed_server = forms.BooleanField(
        required=False,
        label="Start a vLLM server for the judge’s model",
        help_text="While the evaluation lasts; for judges whose model is a folder or a hub id.",
    )

    def __init__(self, *args: Any, user: User, sampling_run: SamplingRun | None = None, **kwargs: Any) -> None:
        self.sampling_run = sampling_run
        super().__init__(*args, user=user, **kwargs)

    def inputs_for(self, user: User) -> dict[str, forms.Field]:
        shared: dict[str, Any] = {"names_workspace": engineered_workspaces(user).count() > 1}
        judges = Annotator.objects.visible_to(user).filter(kind=Annotator.Kind.JUDGE).order_by("name")
        models = models_of(self.sampling_run)
        about = "" if self.sampling_run else "Choose the completions first: their models are compared."
        return {
            "sampling_run": SampledChoice(
                sampling_runs(user),
                label="Completions",
                empty_label="Choose …",
                help_text="A finished sampling run: its prompt set, and the models that answered.",
                **shared,
            ),
            "subjects": RowChoices(
                models, label="Models", widget=forms.CheckboxSelectMultiple, help_text=about, names_workspace=False
            ),
            "baseline": RowChoice(models, label="Against", empty_label="Choose …", names_workspace=False),
            "judge": RowChoice(
                judges.select_related("workspace"),
                empty_label="Choose …",
                help_text="A rubric, or a language model.",
                **shared,
            ),
            "conflict": self.fields["conflict"],
            "uses_managed_server": self.fields["uses_managed_server"],
        }

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if said.get("baseline") and said["baseline"] in list(said.get("subjects") or []):
            self.add_error("baseline", f"{said['baseline']} cannot be compared with itself.")
        return said


class AccuracyForm(EvaluationForm):
    """The share of held-out pairs in which the chosen reply scores higher."""

    kind = Kind.PREFERENCE_ACCURACY
    data_field = "dataset"

    def inputs_for(self, user: User) -> dict[str, forms.Field]:
        shared: dict[str, Any] = {"names_workspace": engineered_workspaces(user).count() > 1}
        models = LanguageModel.objects.visible_to(user).exclude(source__in=WITHOUT_WEIGHTS).select_related("workspace")
        scored = models.exclude(kind=LanguageModel.Kind.GUARD)
        datasets = Dataset.objects.visible_to(user).filter(kind=Dataset.Kind.PREFERENCES, status=Job.Status.FINISHED)
        return {
            "dataset": RowChoice(datasets.select_related("workspace"), empty_label="Choose …", **shared),
            "subjects": RowChoices(scored, label="Models", widget=forms.CheckboxSelectMultiple, **shared),
            "baseline": RowChoice(
                models.filter(kind=LanguageModel.Kind.POLICY),
                required=False,
                label="Reference",
                empty_label="none: reward models need none",
                help_text="What a policy’s implicit reward is measured against: usually the model it started from.",
                **shared,
            ),
        }


class SampledChoice(RowChoice):
    """A sampling run with its prompt set and its models."""

    def label_from_instance(self, obj: Any) -> str:
        models = ", ".join(arm.model.name for arm in obj.arms.all())
        return f"{super().label_from_instance(obj)} · {obj.prompt_set} · {models}"


def sampling_runs(user: User) -> QuerySet[SamplingRun]:
    """Finished sampling runs of two models or more, newest first."""
    rows = SamplingRun.objects.visible_to(user).annotate(num_models=Count("arms__model", distinct=True))
    found: QuerySet[SamplingRun] = rows.filter(status=Job.Status.FINISHED, num_models__gte=2)
    return found.select_related("workspace", "prompt_set").prefetch_related("arms__model")


def models_of(run: SamplingRun | None) -> QuerySet[LanguageModel]:
    """The models of a sampling run that can be compared: those with one arm."""
    if run is None:
        return LanguageModel.objects.none()
    return LanguageModel.objects.annotate(num_arms=Count("arms", filter=Q(arms__run=run), distinct=True)).filter(
        num_arms=1
    )


FORMS: dict[str, type[EvaluationForm]] = {Kind.WIN_RATE: WinRateForm, Kind.PREFERENCE_ACCURACY: AccuracyForm}
