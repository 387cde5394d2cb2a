"""The form in which schedules of training are written."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.db.models import QuerySet

from accounts.models import Membership, User, Workspace
from annotation.models import Annotator, Campaign
from generation.models import LanguageModel, PromptSet
from pipeline.models import TrainingSchedule
from pipeline.schedules.plan import ALGORITHMS, MAX_COMPLETIONS, MAX_COUNT, MAX_SEED, Plan, plan_of
from training.models import TrainingRun

Trigger = TrainingSchedule.Trigger
POINTS = 100  # of a margin
SECTIONS = {
    "When it fires": ("name", "trigger", "cron", "timezone", "min_new_judgments"),
    "What is trained on what": ("current_model", "algorithm", "campaigns", "config", "filter", "seed"),
    "How it is compared": (
        "prompt_set",
        "judge",
        "max_prompts",
        "num_completions",
        "temperature",
        "max_new_tokens",
        "uses_managed_server",
    ),
    "When it becomes the current model": ("min_margin", "min_prompts"),
}


class ObjectTextField(forms.CharField):
    """A JSON object as text."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "code"})
        super().__init__(max_length=20_000, required=False, initial="{}", widget=widget, **options)

    def clean(self, value: Any) -> dict[str, Any]:
        try:
            found = json.loads(super().clean(value) or "{}")
        except ValueError as error:
            raise forms.ValidationError(f"This is no JSON: {error}.") from error
        if not isinstance(found, dict):
            raise forms.ValidationError('Write a JSON object, such as {"beta": 0.1}.')
        return found


def whole_number(least: int = 1, most: int = MAX_COUNT, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(min_value=least, max_value=most, **options)


class ScheduleForm(forms.Form):
    """Everything about a schedule. It belongs to the workspace of its model."""

    name = forms.CharField(max_length=80, help_text="The names of what it makes begin with it.")
    trigger = forms.ChoiceField(choices=Trigger.choices, label="It fires")
    cron = forms.CharField(
        max_length=310,
        required=False,
        initial="0 2 * * *",
        label="Times (cron)",
        help_text="Minute, hour, day of month, month, day of week (0 is Sunday): 0 2 * * * is every night at two.",
    )
    timezone = forms.CharField(max_length=60, initial="UTC", label="Time zone", help_text="Such as Europe/Berlin.")
    min_new_judgments = whole_number(required=False, initial=500, label="Enough new judgments")

    current_model = forms.ModelChoiceField(
        queryset=LanguageModel.objects.none(),
        empty_label=None,
        help_text="Trained further, and to be beaten.",
    )
    algorithm = forms.ChoiceField(
        choices=[choice for choice in TrainingRun.Algorithm.choices if choice[0] in ALGORITHMS], initial="dpo"
    )
    campaigns = forms.ModelMultipleChoiceField(
        queryset=Campaign.objects.none(), widget=forms.CheckboxSelectMultiple, label="Campaigns"
    )
    config = ObjectTextField(label="Configuration", help_text="What differs from the algorithm’s defaults.")
    filter = ObjectTextField(label="Filter", help_text='Of the dataset, such as {"min_votes": 2}.')
    seed = whole_number(0, MAX_SEED, initial=0, help_text="Each firing adds its number.")

    prompt_set = forms.ModelChoiceField(
        queryset=PromptSet.objects.none(), empty_label=None, help_text="Its held-out prompts are asked."
    )
    judge = forms.ModelChoiceField(queryset=Annotator.objects.none(), empty_label=None)
    max_prompts = whole_number(required=False, label="Prompts at most", help_text="Empty: all held-out prompts.")
    num_completions = whole_number(1, MAX_COMPLETIONS, initial=1, label="Replies to each")
    temperature = forms.FloatField(min_value=0, max_value=100, initial=0.7)
    max_new_tokens = whole_number(initial=256, label="New tokens at most")
    uses_managed_server = forms.BooleanField(required=False, label="Start a vLLM server for the judge")

    min_margin = forms.FloatField(
        min_value=0,
        max_value=49.9,
        initial=0,
        label="Margin, in points",
        help_text="The win rate above 50 %. Its interval must exclude zero in any case.",
    )
    min_prompts = whole_number(2, initial=30, label="Prompts at least", help_text="Fewer decide nothing.")

    def __init__(self, *args: Any, user: User, schedule: TrainingSchedule | None = None, **kwargs: Any) -> None:
        """`schedule`: the form changes it, and begins with its settings."""
        if schedule is not None:
            kwargs["initial"] = _initial(schedule)
        super().__init__(*args, **kwargs)
        workspaces = engineered_workspaces(user)
        if schedule is not None:
            workspaces = workspaces.filter(pk=schedule.workspace_id)
        choices = {
            "current_model": trainable_models(workspaces),
            "campaigns": Campaign.objects.filter(workspace__in=workspaces).order_by("name"),
            "prompt_set": PromptSet.objects.filter(workspace__in=workspaces).order_by("name"),
            "judge": Annotator.objects.filter(workspace__in=workspaces, kind=Annotator.Kind.JUDGE).order_by("name"),
        }
        for name, queryset in choices.items():
            self.fields[name].queryset = queryset  # type: ignore[attr-defined] # these have one
        for name in ("temperature", "min_margin"):
            self.fields[name].widget.attrs["step"] = "any"

    @property
    def missing(self) -> list[str]:
        """What has to be made before there can be a schedule."""
        nouns = {"current_model": "a model with weights", "campaigns": "a campaign"}
        nouns |= {"prompt_set": "a prompt set", "judge": "a judge"}
        return [noun for name, noun in nouns.items() if not self.fields[name].queryset.exists()]  # type: ignore[attr-defined]

    @property
    def sections(self) -> list[tuple[str, list[forms.BoundField]]]:
        return [(title, [self[name] for name in names]) for title, names in SECTIONS.items()]

    @property
    def workspace(self) -> Workspace:
        """That of the model. The form must be valid."""
        workspace: Workspace = self.cleaned_data["current_model"].workspace
        return workspace

    def plan(self) -> Plan:
        """The settings of a valid form; what the trigger does not use is left out."""
        said = {name: value for name, value in self.cleaned_data.items() if name != "name"}
        if said["trigger"] == Trigger.COUNT:
            said["cron"] = ""
        if said["trigger"] == Trigger.TIME:
            said["min_new_judgments"] = None
        said["min_margin"] /= POINTS
        return Plan(**{**said, "campaigns": list(said["campaigns"])})


def engineered_workspaces(user: User) -> QuerySet[Workspace]:
    """Workspaces in which the user may train."""
    if user.is_superuser:
        return Workspace.objects.all()
    roles = [Membership.Role.MANAGER, Membership.Role.ENGINEER]
    return Workspace.objects.filter(memberships__user=user, memberships__role__in=roles)


def trainable_models(workspaces: QuerySet[Workspace]) -> QuerySet[LanguageModel]:
    """Policies whose weights are here."""
    policies = LanguageModel.objects.filter(workspace__in=workspaces, kind=LanguageModel.Kind.POLICY)
    return policies.filter(source__in=[LanguageModel.Source.FOLDER, LanguageModel.Source.HUB]).order_by("name")


def _initial(schedule: TrainingSchedule) -> dict[str, Any]:
    plan = plan_of(schedule)
    values = {name: getattr(plan, name) for names in SECTIONS.values() for name in names if name != "name"}
    texts = {name: json.dumps(values[name], indent=2, ensure_ascii=False) for name in ("config", "filter")}
    rows = {name: values[name].pk for name in ("current_model", "prompt_set", "judge")}
    campaigns = [campaign.pk for campaign in plan.campaigns]
    margin = round(plan.min_margin * POINTS, 6)
    return {**values, **texts, **rows, "name": schedule.name, "campaigns": campaigns, "min_margin": margin}
