"""The form in which judges are written."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from accounts.models import User
from annotation.judging import PROTOCOLS
from annotation.models import JudgeVersion
from frontend.imports import managed_workspaces
from generation.models import LanguageModel

MAX_CHARACTERS = 50_000
ABOUT = {
    "pairwise_verdict": "Pairwise verdict: one letter",
    "pairwise_reasoning": "Pairwise with reasons",
    "pairwise_logprobs": "Pairwise by probabilities: a soft label",
    "single_score": "Points for each reply",
    "listwise": "Ranking of all replies",
    "aspects": "Ratings by aspect",
    "constitution": "Pairwise by principles",
    "checklist": "Checklist for each reply",
}
SIMPLE = ("orders", "conflict", "num_samples", "temperature", "num_retries", "guidelines")


class JudgeForm(forms.Form):
    """Model, protocol and the parameters that most judges set; the others are JSON."""

    name = forms.CharField(max_length=120)
    model = forms.ModelChoiceField(queryset=LanguageModel.objects.none(), empty_label=None)
    protocol = forms.ChoiceField(choices=[(name, ABOUT.get(name, name)) for name in PROTOCOLS])
    orders = forms.ChoiceField(
        choices=[("both", "both orders of each comparison"), ("balanced", "one order, balanced")], label="Order shown"
    )
    conflict = forms.ChoiceField(
        choices=[
            ("tie", "a tie"),
            ("abstain", "no opinion"),
            ("keep_both", "no answer, both are kept"),
            ("mean", "their mean"),
        ],
        label="Orders that disagree are",
    )
    num_samples = forms.IntegerField(min_value=1, max_value=64, initial=1, label="Replies to each request")
    temperature = forms.FloatField(min_value=0, max_value=2, initial=0.0)
    num_retries = forms.IntegerField(min_value=0, max_value=10, initial=2, label="Retries of what is no verdict")
    adapter = forms.CharField(
        max_length=120,
        required=False,
        help_text="A LoRA adapter: its name at the server, or its folder for a server of its own.",
    )
    prompt_price = forms.DecimalField(
        min_value=0, required=False, max_digits=12, decimal_places=4, label="Price of a million prompt tokens"
    )
    reply_price = forms.DecimalField(
        min_value=0, required=False, max_digits=12, decimal_places=4, label="Price of a million reply tokens"
    )
    guidelines = forms.CharField(
        required=False,
        max_length=MAX_CHARACTERS,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What “better” means here. It is put before the material.",
    )
    others = forms.CharField(
        required=False,
        max_length=MAX_CHARACTERS,
        initial="{}",
        label="Other parameters",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "code"}),
        help_text='JSON, such as {"principles": ["Be honest."]}, {"aspects": [{"name": "truth", "description": ""}]}, '
        '{"criteria": [{"text": "It is right", "weight": 1}]}, {"tie_margin": 0.1} or a template.',
    )

    def __init__(self, *args: Any, user: User, version: JudgeVersion | None = None, **kwargs: Any) -> None:
        """`version`: the form writes the next one, and begins with this."""
        if version is not None:
            kwargs["initial"] = _initial(version)
        super().__init__(*args, **kwargs)
        models = LanguageModel.objects.filter(workspace__in=managed_workspaces(user)).order_by("name")
        models = models.exclude(source=LanguageModel.Source.NAMED).exclude(kind=LanguageModel.Kind.REWARD)
        if version is not None:
            models = models.filter(workspace=version.judge.workspace_id)
            for fixed in ("name", "protocol"):
                del self.fields[fixed]
        self.fields["model"].queryset = models  # type: ignore[attr-defined] # it has one

    def clean_others(self) -> dict[str, Any]:
        """A JSON object."""
        try:
            found = json.loads(self.cleaned_data["others"] or "{}")
        except ValueError as error:
            raise forms.ValidationError(f"This is no JSON: {error}.") from error
        if not isinstance(found, dict):
            raise forms.ValidationError('Write a JSON object, such as {"tie_margin": 0.1}.')
        if taken := sorted(set(found) & set(SIMPLE)):
            raise forms.ValidationError(f"{taken[0]} has a field of its own above.")
        return found

    @property
    def parameters(self) -> dict[str, Any]:
        """What the protocol takes, from the fields and from the JSON."""
        return {**self.cleaned_data["others"], **{name: self.cleaned_data[name] for name in SIMPLE}}

    @property
    def columns(self) -> dict[str, Any]:
        """What else makes a version."""
        return {name: self.cleaned_data[name] for name in ("model", "adapter", "prompt_price", "reply_price")}


def _initial(version: JudgeVersion) -> dict[str, Any]:
    spec = dict(version.spec)
    fixed = {"protocol": None, **{name: spec.pop(name) for name in SIMPLE}}
    spec.pop("protocol")
    return {
        **fixed,
        "model": version.model_id,
        "adapter": version.adapter,
        "prompt_price": version.prompt_price,
        "reply_price": version.reply_price,
        "others": json.dumps(spec, indent=2, ensure_ascii=False),
    }
