"""The forms around a question: the campaign itself, its guidelines, how it chooses tasks and watches over quality."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from accounts.models import Membership, User, Workspace
from annotation.campaign_policy import MAX_COUNT
from annotation.models import Campaign, Comparison
from core.models import Job
from generation.models import PromptSet, SamplingRun, ScoringRun

MAX_GUIDELINE_CHARACTERS = 200_000
MAX_OVERLAP = 1000
MAX_LEASE_MINUTES = 7 * 24 * 60

WHEN = {
    "sampling_run": "kind=pairwise|ranking|rating",
    "max_per_prompt": "kind=pairwise|ranking|rating sampling_run",
    "choice": "kind=pairwise|ranking|rating sampling_run",
    "scoring_run": "kind=pairwise|ranking|rating sampling_run choice=widest|closest|disputed",
    "prompt_set": "kind=demonstration",
    "random_share": "selection=adaptive",
    "settled_probability": "selection=adaptive",
    "qualification_pass": "num_qualification",
    "pause_after": "pause_below",
}
CAMPAIGN_FIELDS = (
    *("workspace", "name", "overlap", "lease_minutes"),
    *("sampling_run", "max_per_prompt", "choice", "scoring_run", "prompt_set"),
)
POLICY_SECTIONS = {
    "Which task comes next": ("selection", "random_share", "settled_probability", "skip_policy", "exposure_cap"),
    "Quality": (
        *("gold_every", "repeat_every", "num_qualification", "qualification_pass"),
        *("pause_below", "pause_after", "price_per_judgment"),
    ),
}


def managed_workspaces(user: User) -> QuerySet[Workspace]:
    """The workspaces in which the user may make campaigns."""
    if user.is_superuser:
        return Workspace.objects.order_by("name")
    held = Membership.objects.filter(user=user, role=Membership.Role.MANAGER)
    return Workspace.objects.filter(pk__in=held.values("workspace")).order_by("name")


class GuidelinesForm(forms.Form):
    """What annotators are told."""

    guidelines = forms.CharField(
        label="Guidelines",
        required=False,
        strip=False,
        max_length=MAX_GUIDELINE_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text="Markdown. Annotators open them beside the task and must read a new version before they go on.",
    )

    def clean_guidelines(self) -> str:
        """With one kind of line end, so that a text that was not changed makes no version."""
        return str(self.cleaned_data["guidelines"]).replace("\r\n", "\n")


class CampaignForm(GuidelinesForm):
    """A new campaign, without its question and policy."""

    workspace = forms.ModelChoiceField(label="Workspace", queryset=Workspace.objects.none(), empty_label=None)
    name = forms.CharField(label="Name", max_length=120)
    overlap = forms.IntegerField(
        label="Judgments of each comparison",
        min_value=1,
        max_value=MAX_OVERLAP,
        initial=1,
        help_text="By different people.",
    )
    lease_minutes = forms.IntegerField(
        label="Minutes for one task",
        min_value=1,
        max_value=MAX_LEASE_MINUTES,
        initial=10,
        help_text="Then others may get it.",
    )
    sampling_run = forms.ModelChoiceField(
        label="Compare the completions of",
        queryset=SamplingRun.objects.none(),
        required=False,
        empty_label="nothing yet",
    )
    max_per_prompt = forms.IntegerField(
        label="Comparisons of each prompt, at most", min_value=1, required=False, help_text="Empty: every possible one."
    )
    choice = forms.ChoiceField(
        label="Which of them", choices=Comparison.Choice.choices, initial=Comparison.Choice.RANDOM, required=False
    )
    scoring_run = forms.ModelChoiceField(
        label="By the scores of",
        queryset=ScoringRun.objects.none(),
        required=False,
        empty_label="choose a scoring run",
        help_text="Of these completions, by a reward model: started on the sampling run's page.",
    )
    prompt_set = forms.ModelChoiceField(
        label="Ask for replies to", queryset=PromptSet.objects.none(), required=False, empty_label="nothing yet"
    )

    def __init__(self, data: Any = None, *, user: User, **options: Any) -> None:
        super().__init__(data, **options)
        workspaces = managed_workspaces(user)
        self._choose("workspace", workspaces)
        finished = SamplingRun.objects.filter(status=Job.Status.FINISHED, workspace__in=workspaces)
        self._choose("sampling_run", finished.select_related("workspace"))
        scored = ScoringRun.objects.filter(status=Job.Status.FINISHED, workspace__in=workspaces)
        self._choose("scoring_run", scored.order_by("-pk"))
        self._choose("prompt_set", PromptSet.objects.filter(workspace__in=workspaces).order_by("name"))

    def clean(self) -> dict[str, Any]:
        """A free name, and sources of the same workspace."""
        cleaned = super().clean() or {}
        workspace = cleaned.get("workspace")
        if workspace and Campaign.objects.filter(workspace=workspace, name=cleaned.get("name")).exists():
            self.add_error("name", f"{workspace} already has a campaign of this name; choose another.")
        self._clean_choice(cleaned)
        for name in ("sampling_run", "prompt_set"):
            source = cleaned.get(name)
            if workspace and source and source.workspace_id != workspace.pk:
                self.add_error(name, f"“{source}” belongs to another workspace than {workspace}.")
        return cleaned

    def _clean_choice(self, cleaned: dict[str, Any]) -> None:
        """At random without scores; otherwise by scores of the completions that are compared."""
        if not cleaned.get("sampling_run") or cleaned.get("choice") in {None, "", Comparison.Choice.RANDOM}:
            cleaned |= {"choice": Comparison.Choice.RANDOM, "scoring_run": None}
            return
        scoring_run = cleaned.get("scoring_run")
        if scoring_run is None:
            self.add_error("scoring_run", "Name the scores to choose by, or choose at random.")
        elif scoring_run.sampling_run_id != cleaned["sampling_run"].pk:
            self.add_error("scoring_run", f"“{scoring_run}” has scored the completions of another sampling run.")
        else:
            self._clean_dispute(cleaned["choice"], scoring_run)

    def _clean_dispute(self, choice: str, scoring_run: ScoringRun) -> None:
        """A reward model with one head disputes nothing."""
        if choice == Comparison.Choice.DISPUTED and not scoring_run.is_by_ensemble:
            self.add_error("scoring_run", f"{scoring_run.reward_model} has a single head, and nobody to disagree with.")

    def _choose(self, name: str, rows: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 -- the four above
        field.queryset = rows


class PolicyForm(forms.Form):
    """How tasks are chosen and quality is watched: the settings of `annotation.campaign_policy`."""

    selection = forms.ChoiceField(
        label="What is asked next",
        choices=[
            (Campaign.Selection.COVERAGE, "everything once, then again"),
            (Campaign.Selection.ADAPTIVE, "what tells most about the order"),
        ],
    )
    random_share = forms.FloatField(
        label="Share drawn at random",
        min_value=0,
        max_value=1,
        help_text="Of the adaptive choice; it measures what is saved.",
    )
    settled_probability = forms.FloatField(
        label="Stop at a certainty of",
        min_value=0.5,
        max_value=1,
        required=False,
        help_text="Of a prompt's order, such as 0.95. Empty: never.",
    )
    skip_policy = forms.ChoiceField(label="A skipped task", choices=Campaign.SkipPolicy.choices)
    gold_every = forms.IntegerField(
        label="Gold item every … tasks", min_value=0, max_value=MAX_COUNT, help_text="On average. 0: none."
    )
    repeat_every = forms.IntegerField(
        label="Swapped repeat every … tasks", min_value=0, max_value=MAX_COUNT, help_text="On average. 0: none."
    )
    num_qualification = forms.IntegerField(
        label="Qualification items", min_value=0, max_value=MAX_COUNT, help_text="Answered before anything else."
    )
    qualification_pass = forms.FloatField(label="Right to qualify", min_value=0, max_value=1, help_text="A share.")
    pause_below = forms.FloatField(
        label="Pause below",
        min_value=0,
        max_value=1,
        required=False,
        help_text="Share of gold answered right. Empty: never.",
    )
    pause_after = forms.IntegerField(
        label="After … gold items", min_value=0, max_value=MAX_COUNT, help_text="Nobody is paused before."
    )
    exposure_cap = forms.IntegerField(
        label="Sensitive tasks a day",
        min_value=0,
        max_value=MAX_COUNT,
        required=False,
        help_text="Each person. Empty: no limit.",
    )
    price_per_judgment = forms.DecimalField(
        label="Price of a judgment", min_value=0, max_value=999_999, decimal_places=4, required=False
    )

    def changes_of(self, campaign: Campaign) -> dict[str, Any]:
        """The settings that are no longer as the campaign has them."""
        return {name: value for name, value in self.cleaned_data.items() if getattr(campaign, name) != value}


def policy_of(campaign: Campaign) -> dict[str, Any]:
    """What the policy form shows for a campaign; of an unsaved one the defaults."""
    return {name: getattr(campaign, name) for name in PolicyForm.base_fields}
