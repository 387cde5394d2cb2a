"""Managers write and revise what annotators are asked and told, with the labeler's task beside it."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from annotation import campaign_policy, campaign_versions
from annotation.models import Campaign
from annotation.presets import PRESETS
from annotation.question import Question, pairwise
from core.errors import NotFound
from frontend import campaign_forms, campaign_versions_shown, new_campaigns
from frontend.access import SignedInRequest, is_reader, signed_in
from frontend.campaign_forms import CampaignForm, GuidelinesForm, PolicyForm, policy_of
from frontend.form_rows import rows_of, sections_of
from frontend.question_preview import sample_campaign, sample_task
from frontend.questions import SECTIONS, WHEN, QuestionForm, initial_of


@require_GET
@signed_in
def new_campaign(request: SignedInRequest) -> HttpResponse:
    """An empty form, or one that begins with a preset; htmx gets the question's fields alone."""
    _require_some_workspace(request)
    name = request.GET.get("preset", "")
    question = PRESETS[name][1]() if name in PRESETS else pairwise()
    forms = _Forms(QuestionForm(initial=initial_of(question)), CampaignForm(user=request.user), _new_policy_form())
    template = "fields.html" if request.htmx else "new.html"
    return render(request, f"frontend/questions/{template}", {**forms.context(), "preset": name})


@require_POST
@signed_in
def create_campaign(request: SignedInRequest) -> HttpResponse:
    """Make the campaign and fill it from its source."""
    _require_some_workspace(request)
    forms = _Forms(
        QuestionForm(request.POST), CampaignForm(request.POST, user=request.user), _new_policy_form(request.POST)
    )
    if not forms.are_valid():
        return render(request, "frontend/questions/new.html", forms.context(), status=422)
    access.require_manager(request.user, forms.campaign.cleaned_data["workspace"])
    made, num_added = new_campaigns.make_campaign(
        question=forms.question.cleaned_data["question"],
        fields=forms.campaign.cleaned_data,
        policy=forms.policy.changes_of(Campaign()),
        user=request.user,
    )
    messages.success(request, f"{made} is made, with {num_added} comparisons. Open it when it is ready.")
    return redirect("campaign", made.pk)


@require_POST
@signed_in
def preview_question(request: SignedInRequest) -> HttpResponse:
    """The labeler's task for what the form says at this moment. Nothing is stored."""
    _require_some_workspace(request)
    return _preview(request, QuestionForm(request.POST))


@require_GET
@signed_in
def edit_campaign(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """The campaign's question, guidelines and settings, and their versions."""
    found = _campaign(request, campaign_id)
    return _edit_page(request, found)


@require_POST
@signed_in
def preview_revision(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """The same for a campaign that exists."""
    return _preview(request, _question_form(_campaign(request, campaign_id), request.POST))


@require_POST
@signed_in
def revise_question(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Ask this from the next task on."""
    found = _campaign(request, campaign_id)
    form, before = _question_form(found, request.POST), found.question_version
    if not form.is_valid():
        return _edit_page(request, found, question_form=form)
    version = campaign_versions.revise_question(
        campaign=found, question=form.cleaned_data["question"], user=request.user
    )
    _say_version(request, "question", before, version)
    return redirect("edit-campaign", campaign_id)


@require_POST
@signed_in
def revise_guidelines(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Tell annotators this; they read it before their next task."""
    found = _campaign(request, campaign_id)
    form, before = GuidelinesForm(request.POST), found.guideline_version
    if not form.is_valid():
        return _edit_page(request, found, guidelines_form=form)
    version = campaign_versions.revise_guidelines(
        campaign=found, text=form.cleaned_data["guidelines"], user=request.user
    )
    _say_version(request, "guidelines", before, version)
    return redirect("edit-campaign", campaign_id)


@require_POST
@signed_in
def change_policy(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Change how tasks are chosen and quality is watched."""
    found = _campaign(request, campaign_id)
    form = PolicyForm(request.POST)
    if not form.is_valid():
        return _edit_page(request, found, policy_form=form)
    if changes := form.changes_of(found):
        campaign_policy.set_policy(campaign=found, **changes)
    messages.success(request, "The settings are stored." if changes else "Nothing was changed.")
    return redirect("edit-campaign", campaign_id)


class _Forms:
    """The three forms of a new campaign: one page, one button."""

    def __init__(self, question: QuestionForm, campaign: CampaignForm, policy: PolicyForm) -> None:
        self.question, self.campaign, self.policy = question, campaign, policy

    def are_valid(self) -> bool:
        return all([self.question.is_valid(), self.campaign.is_valid(), self.policy.is_valid()])

    def context(self) -> dict[str, Any]:
        return {
            "presets": [(name, title, _first_line(make.__doc__)) for name, (title, make) in PRESETS.items()],
            "campaign_rows": rows_of(self.campaign, campaign_forms.CAMPAIGN_FIELDS, campaign_forms.WHEN),
            "guideline_rows": rows_of(self.campaign, ["guidelines"], {}),
            "sections": sections_of(self.question, SECTIONS, WHEN),
            "policy_sections": sections_of(self.policy, campaign_forms.POLICY_SECTIONS, campaign_forms.WHEN),
            "is_refused": any(form.is_bound and form.errors for form in (self.question, self.campaign, self.policy)),
        }


def _edit_page(
    request: SignedInRequest,
    found: Campaign,
    *,
    question_form: QuestionForm | None = None,
    guidelines_form: GuidelinesForm | None = None,
    policy_form: PolicyForm | None = None,
) -> HttpResponse:
    """The page with what was typed into the refused form, if any."""
    is_refused = any((question_form, guidelines_form, policy_form))
    question_form = question_form or _question_form(found)
    guidelines_form = guidelines_form or GuidelinesForm(initial={"guidelines": found.guidelines})
    policy_form = policy_form or PolicyForm(initial=policy_of(found))
    context = {
        "campaign": found,
        "sections": sections_of(question_form, SECTIONS, WHEN),
        "guideline_rows": rows_of(guidelines_form, ["guidelines"], {}),
        "policy_sections": sections_of(policy_form, campaign_forms.POLICY_SECTIONS, campaign_forms.WHEN),
        "is_refused": is_refused,
        **campaign_versions_shown.versions_of(found),
    }
    return render(request, "frontend/questions/edit.html", context, status=422 if is_refused else 200)


def _preview(request: SignedInRequest, form: QuestionForm) -> HttpResponse:
    guidelines = request.POST.get("guidelines", "")[: campaign_forms.MAX_GUIDELINE_CHARACTERS]
    context: dict[str, Any] = {"rows": rows_of(form, form.fields, WHEN), "guidelines": guidelines}
    if form.is_valid():
        question = form.cleaned_data["question"]
        context |= {"task": sample_task(question), "campaign": sample_campaign(question, guidelines)}
    return render(request, "frontend/questions/preview.html", context)


def _question_form(found: Campaign, data: Any = None) -> QuestionForm:
    form = QuestionForm(data, initial=initial_of(Question.from_json(found.question)))
    if num_comparisons := found.comparisons.count():
        form.fix_size(num_comparisons)
    return form


def _new_policy_form(data: Any = None) -> PolicyForm:
    return PolicyForm(data, initial=policy_of(Campaign()))


def _campaign(request: SignedInRequest, campaign_id: int) -> Campaign:
    rows = Campaign.objects.visible_to(request.user).select_related("workspace")
    found: Campaign = get_object_or_404(rows, pk=campaign_id)
    access.require_manager(request.user, found.workspace)
    return found


def _require_some_workspace(request: SignedInRequest) -> None:
    if campaign_forms.managed_workspaces(request.user).exists():
        return
    if is_reader(request.user):
        raise access.AccessDenied("Making a campaign needs the role manager in some workspace.")
    raise NotFound("There is no such page for you.")


def _say_version(request: SignedInRequest, what: str, before: int, version: int) -> None:
    if version == before:
        messages.info(request, f"The {what} did not change, so that there is no new version.")
    else:
        messages.success(request, f"Version {version} of the {what} holds from the next task on.")


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0]
