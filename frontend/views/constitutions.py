"""Constitutions: a list, and a page on which one is read and written."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from accounts.models import Workspace
from core.errors import ConcordError, NotFound
from frontend.access import SignedInRequest, is_reader, may_engineer, may_manage, signed_in
from frontend.imports import managed_workspaces
from generation import constitution_services as services
from generation.constitutions.principles import EXAMPLE, principles_to_json
from generation.models import Constitution, LanguageModel, SamplingRun

MAX_NAME = 120
NUM_EMPTY = 2  # empty principles below the written ones
FIELDS = ("name", "critique", "revision")


@require_GET
@signed_in
def constitutions(request: SignedInRequest) -> HttpResponse:
    """All constitutions that the user may read."""
    if not is_reader(request.user):
        raise NotFound("There are no constitutions for you to read.")
    rows = Constitution.objects.visible_to(request.user).select_related("workspace").prefetch_related("versions")
    found = [(row, max(row.versions.all(), key=lambda version: version.number)) for row in rows]
    may_write = managed_workspaces(request.user).exists()
    return render(request, "frontend/constitutions/list.html", {"constitutions": found, "may_write": may_write})


@require_GET
@signed_in
def new_constitution(request: SignedInRequest) -> HttpResponse:
    """The form to write one, starting from our example."""
    context = {"workspaces": _writable_workspaces(request), "rows": _rows(principles_to_json(EXAMPLE))}
    return render(request, "frontend/constitutions/new.html", context)


@require_POST
@signed_in
def create_constitution(request: SignedInRequest) -> HttpResponse:
    """Write one. What was refused comes back with the reason."""
    workspaces = _writable_workspaces(request)
    workspace = get_object_or_404(workspaces, pk=_number(request.POST.get("workspace", "")))
    written, name = _written(request), request.POST.get("name", "").strip()
    try:
        if not 0 < len(name) <= MAX_NAME:
            raise services.ConstitutionRefused(f"A constitution needs a name of 1 to {MAX_NAME} characters.")
        version = services.create_constitution(workspace=workspace, name=name, principles=written, user=request.user)
    except ConcordError as error:
        context = {"workspaces": workspaces, "rows": _rows(written), "name": name, "error": error.detail}
        return render(request, "frontend/constitutions/new.html", context, status=422)
    return redirect("constitution", version.constitution_id)


@require_GET
@signed_in
def constitution(request: SignedInRequest, constitution_id: int) -> HttpResponse:
    """Its newest version (`?version=1`: an earlier one) and, for managers, the form that writes the next."""
    found: Constitution = get_object_or_404(Constitution.objects.visible_to(request.user), pk=constitution_id)
    return render(request, "frontend/constitutions/page.html", _page(request, found))


@require_POST
@signed_in
def revise_constitution(request: SignedInRequest, constitution_id: int) -> HttpResponse:
    """Write the next version. What was refused comes back with the reason."""
    found: Constitution = get_object_or_404(Constitution.objects.visible_to(request.user), pk=constitution_id)
    access.require_manager(request.user, found.workspace)
    written = _written(request)
    try:
        services.revise_constitution(constitution=found, principles=written, user=request.user)
    except ConcordError as error:
        context = {**_page(request, found), "rows": _rows(written), "error": error.detail}
        return render(request, "frontend/constitutions/page.html", context, status=422)
    return redirect("constitution", found.pk)


def _writable_workspaces(request: SignedInRequest) -> QuerySet[Workspace]:
    workspaces = managed_workspaces(request.user)
    if not workspaces.exists():
        raise NotFound("There is no workspace in which you may write a constitution.")
    return workspaces


def _page(request: SignedInRequest, found: Constitution) -> dict[str, Any]:
    versions = list(found.versions.order_by("-number").select_related("created_by"))
    shown = next((one for one in versions if str(one.number) == request.GET.get("version")), versions[0])
    return {
        "constitution": found,
        "versions": versions,
        "shown": shown,
        "rows": _rows(shown.principles),
        "may_write": may_manage(request.user, found.workspace) and shown == versions[0],
        "revision_form": RevisionForm(constitution=found) if may_engineer(request.user, found.workspace) else None,
        "revision_runs": found.workspace.revision_runs.filter(version__constitution=found).select_related("version"),
    }


class RevisionForm(forms.Form):
    """Which replies are revised, and by which model."""

    name = forms.CharField(max_length=120, initial="Revision")
    sampling_run = forms.ModelChoiceField(
        queryset=SamplingRun.objects.none(),
        empty_label=None,
        label="Replies of",
        help_text="A sampling run that ended.",
    )
    model = forms.ModelChoiceField(queryset=LanguageModel.objects.none(), empty_label=None, label="Revised by")
    num_per_prompt = forms.IntegerField(min_value=1, max_value=1024, initial=1, label="Replies of each prompt")
    num_principles = forms.IntegerField(
        min_value=1, max_value=100, required=False, label="Principles for each reply", help_text="Drawn; empty: all."
    )

    def __init__(self, *args: Any, constitution: Constitution, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ended = SamplingRun.objects.filter(workspace=constitution.workspace).exclude(status__in=SamplingRun.UNENDED)
        models = LanguageModel.objects.filter(workspace=constitution.workspace, kind=LanguageModel.Kind.POLICY)
        self.fields["sampling_run"].queryset = ended  # type: ignore[attr-defined] # it has one
        usable = models.exclude(source=LanguageModel.Source.NAMED)
        self.fields["model"].queryset = usable  # type: ignore[attr-defined] # it has one


def _rows(principles: list[dict[str, str]]) -> list[dict[str, str]]:
    """What is written, and some room below it."""
    return [*principles, *(dict.fromkeys(FIELDS, "") for _ in range(NUM_EMPTY))]


def _written(request: SignedInRequest) -> list[dict[str, str]]:
    """The principles of the form without those that were left empty."""
    columns = [request.POST.getlist(field) for field in FIELDS[1:]]
    rows = zip(request.POST.getlist("principle"), *columns, strict=False)
    return [dict(zip(FIELDS, row, strict=True)) for row in rows if any(text.strip() for text in row)]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0
