"""Judgments in and out: a form with a preview that stores nothing, a report, and a download."""

from typing import Any

from django import forms
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from accounts.models import User, Workspace
from annotation.judgment_export import service as exporting
from annotation.judgment_export.schema import FORMATS
from annotation.judgment_import import service as importing
from annotation.judgment_import.layouts import TITLES
from annotation.judgment_import.preview import answer_words
from annotation.models import Campaign, Slot
from core.errors import NotFound
from frontend.access import SignedInRequest, is_reader, signed_in
from frontend.imports import ACCEPTED, managed_workspaces, require_some_workspace, uploaded_files

NUM_PROBLEMS_SHOWN = 50
FORMAT_NAMES = {"jsonl": "JSON Lines", "csv": "CSV", "parquet": "Parquet"}


class ManagedWorkspaceForm(forms.Form):
    """Which workspace, of those that the user manages."""

    workspace = forms.ModelChoiceField(queryset=Workspace.objects.none(), empty_label=None)
    layout = forms.ChoiceField(
        choices=[("", "Recognise it"), *TITLES.items()], required=False, help_text="How the file is written."
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["workspace"].queryset = managed_workspaces(user)  # type: ignore[attr-defined] # it has one


class ImportForm(ManagedWorkspaceForm):
    """Where judgments go."""

    name = forms.CharField(max_length=120, label="Campaign", help_text="A new one, or one that was imported before.")
    skip_malformed = forms.BooleanField(required=False, label="Pass over malformed rows")
    field_order = ("workspace", "name", "layout", "skip_malformed")


class ExportForm(forms.Form):
    """Which judgments leave."""

    campaign = forms.ModelChoiceField(queryset=Campaign.objects.none(), required=False, empty_label="All campaigns")
    format = forms.ChoiceField(choices=[(name, FORMAT_NAMES[name]) for name in FORMATS])
    purpose = forms.ChoiceField(
        choices=[("", "Any"), *Slot.Purpose.choices], required=False, label="Asked for", initial=Slot.Purpose.MAIN
    )
    since = forms.DateTimeField(
        required=False, label="Given since", widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    is_current = forms.BooleanField(required=False, label="Only those that no newer one has replaced", initial=True)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["campaign"].queryset = Campaign.objects.visible_to(user)  # type: ignore[attr-defined] # it has one


@require_GET
@signed_in
def import_page(request: SignedInRequest) -> HttpResponse:
    """The form."""
    require_some_workspace(request.user)
    return render(
        request, "frontend/exchange/import.html", {"form": ImportForm(user=request.user), "accepted": ACCEPTED}
    )


@require_POST
@signed_in
def preview_import(request: SignedInRequest) -> HttpResponse:
    """What the first rows would become, as a fragment."""
    form = ManagedWorkspaceForm(request.POST, user=request.user)
    if not form.is_valid():
        return render(request, "frontend/exchange/form_errors.html", {"form": form}, status=422)
    access.require_manager(request.user, form.cleaned_data["workspace"])
    preview = importing.preview_judgments(files=uploaded_files(request), layout=form.cleaned_data["layout"] or None)
    rows = [(row, [(one, answer_words(one)) for one in row.votes]) for row in preview.rows]
    context = {"preview": preview, "rows": rows, "num_files": len({row.file for row in preview.rows})}
    return render(request, "frontend/exchange/preview.html", context)


@require_POST
@signed_in
def import_judgments(request: SignedInRequest) -> HttpResponse:
    """Import and show what became of it."""
    form = ImportForm(request.POST, user=request.user)
    if not form.is_valid():
        return render(request, "frontend/exchange/import.html", {"form": form, "accepted": ACCEPTED}, status=422)
    wanted = form.cleaned_data
    access.require_manager(request.user, wanted["workspace"])
    wanted["layout"] = wanted["layout"] or None
    report = importing.import_judgments(**wanted, files=uploaded_files(request), user=request.user)
    context = {"report": report, "problems": report.problems[:NUM_PROBLEMS_SHOWN], "title": TITLES[report.layout]}
    return render(request, "frontend/exchange/report.html", context)


@require_GET
@signed_in
def export_page(request: SignedInRequest) -> HttpResponse:
    """The form; `?campaign=3` chooses one beforehand."""
    if not is_reader(request.user):
        raise NotFound("There is nothing here for you to export.")
    form = ExportForm(user=request.user, initial={"campaign": request.GET.get("campaign")})
    return render(request, "frontend/exchange/export.html", {"form": form})


@require_GET
@signed_in
def export_file(request: SignedInRequest) -> HttpResponseBase:
    """The file, made while it is sent."""
    if not is_reader(request.user):
        raise NotFound("There is nothing here for you to export.")
    if campaign := request.GET.get("campaign", ""):
        rows = Campaign.objects.visible_to(request.user)
        get_object_or_404(rows, pk=int(campaign) if campaign.isdecimal() and len(campaign) < 19 else 0)
    form = ExportForm(request.GET, user=request.user)
    if not form.is_valid():
        return render(request, "frontend/exchange/export.html", {"form": form}, status=422)
    wanted = form.cleaned_data
    chosen = wanted["campaign"]
    export = exporting.export_judgments(
        campaigns=[chosen] if chosen else list(Campaign.objects.visible_to(request.user)),
        file_format=wanted["format"],
        is_current_only=wanted["is_current"],
        purpose=wanted["purpose"] or None,
        since=wanted["since"],
    )
    disposition = str(content_disposition_header(True, export.name))
    headers = {"Content-Disposition": disposition, "Cache-Control": "private, no-store"}
    return StreamingHttpResponse(export.pieces, content_type=export.content_type, headers=headers)
