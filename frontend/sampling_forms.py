"""The form of a new sampling run: its own fields, and one row of fields for each arm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.http import QueryDict

from accounts.api.fields import MAX_SEED
from accounts.models import Workspace
from generation.api.serializers import MAX_COMPLETIONS, MAX_NEW_TOKENS
from generation.models import LanguageModel, SamplingRun
from generation.services import MAX_ARMS, MAX_ATTEMPTS, ArmSpec

LINE_BREAK = "\\n"  # as people type it


class SamplingRunForm(forms.Form):
    """Everything but the arms."""

    name = forms.CharField(max_length=120)
    split = forms.ChoiceField(choices=SamplingRun.Split.choices, initial=SamplingRun.Split.TRAIN, label="Prompts")
    max_prompts = forms.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, label="At most", help_text="Empty: every prompt of these."
    )
    seed = forms.IntegerField(min_value=0, max_value=MAX_SEED, initial=0)
    max_attempts = forms.IntegerField(
        min_value=1,
        max_value=MAX_ATTEMPTS,
        initial=3,
        label="Attempts",
        help_text="At a prompt whose failure may pass.",
    )


class ArmForm(forms.Form):
    """One arm."""

    model = forms.ModelChoiceField(queryset=LanguageModel.objects.none(), empty_label=None)
    name = forms.CharField(max_length=80, required=False, help_text="Empty: by its model.")
    num_completions = forms.IntegerField(min_value=1, max_value=MAX_COMPLETIONS, initial=4, label="Completions")
    temperature = forms.FloatField(min_value=0, max_value=100, initial=1.0)
    top_p = forms.FloatField(min_value=0, max_value=1, initial=1.0, label="Top-p")
    max_new_tokens = forms.IntegerField(min_value=1, max_value=MAX_NEW_TOKENS, initial=256, label="New tokens at most")
    system_prompt = forms.CharField(max_length=20_000, required=False, widget=forms.Textarea(attrs={"rows": 2}))
    stop = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Stop at",
        help_text=f"Texts that end a reply, one a line; {LINE_BREAK} is a line break.",
    )
    adapter = forms.CharField(
        max_length=120,
        required=False,
        help_text="A LoRA adapter: its name at the server, or its folder for a server of its own.",
    )
    uses_managed_server = forms.BooleanField(required=False, label="Start a vLLM server for it")

    def __init__(self, data: QueryDict | None = None, *, workspace: Workspace, number: int) -> None:
        super().__init__(data, prefix=f"arm{number}")
        self.number = number
        self.fields["model"].queryset = usable_models(workspace)  # type: ignore[attr-defined] # it has one
        for name in ("temperature", "top_p"):
            self.fields[name].widget.attrs["step"] = "any"

    @property
    def wide_fields(self) -> list[forms.BoundField]:
        return [self["model"], self["name"]]

    @property
    def number_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("num_completions", "temperature", "top_p", "max_new_tokens")]

    @property
    def further_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("system_prompt", "stop", "adapter", "uses_managed_server")]

    @property
    def has_further(self) -> bool:
        """Whether one of the further fields is filled in, or wrong."""
        return any(field.value() or field.errors for field in self.further_fields)

    def spec(self) -> ArmSpec:
        """The arm that a valid form describes."""
        said = dict(self.cleaned_data)
        stop = [line.replace(LINE_BREAK, "\n") for line in said.pop("stop").splitlines() if line]
        return ArmSpec(**said, stop=stop)


def usable_models(workspace: Workspace) -> Any:
    """Models that can write."""
    policies = LanguageModel.objects.filter(workspace=workspace, kind=LanguageModel.Kind.POLICY)
    return policies.exclude(source=LanguageModel.Source.NAMED)


def arm_forms(data: QueryDict, workspace: Workspace) -> list[ArmForm]:
    """The rows of a form that was sent, in their order."""
    return [ArmForm(data, workspace=workspace, number=number) for number in arm_numbers(data.getlist("arm"))]


def arm_numbers(sent: Iterable[str]) -> list[int]:
    """The numbers of the rows that a form was sent with; what is no number is passed over."""
    numbers = dict.fromkeys(int(number) for number in sent if number.isascii() and number.isdigit() and len(number) < 9)
    return list(numbers)[:MAX_ARMS]
