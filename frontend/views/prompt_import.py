"""Prompt sets, and the pages on which prompts come in: a form, a preview that stores nothing, a report."""

from typing import Any

from django import forms
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from accounts.models import User, Workspace
from core.errors import NotFound
from frontend.access import SignedInRequest, is_reader, signed_in
from frontend.imports import ACCEPTED, managed_workspaces, require_some_workspace, uploaded_files
from generation.models import PromptSet
from generation.prompt_import import service
from generation.prompt_import.columns import ColumnMapping
from generation.prompt_import.layouts import TITLES, ImportOptions

NUM_PROBLEMS_SHOWN = 50
TURN_NAMES = [
    ("last", "The last one, with what was said before"),
    ("first", "The first one alone"),
    ("all", "Every one, with what was said before"),
]


class PromptSourceForm(forms.Form):
    """Which workspace, of those that the user manages, and how the files are read."""

    workspace = forms.ModelChoiceField(queryset=Workspace.objects.none(), empty_label=None)
    layout = forms.ChoiceField(
        choices=[("", "Recognise it"), *TITLES.items()], required=False, help_text="How the file is written."
    )
    turns = forms.ChoiceField(
        choices=TURN_NAMES, required=False, label="Turns of the user", help_text="Which become prompts, in chats."
    )
    has_references = forms.BooleanField(required=False, initial=True, label="Replies in the file become references")
    prompt = forms.CharField(required=False, label="Prompt")
    system = forms.CharField(required=False, label="System turn")
    reference = forms.CharField(required=False, label="Reference answer")
    tags = forms.CharField(required=False, label="Tags", help_text="Several with commas between.")
    is_sensitive = forms.CharField(required=False, label="Is it sensitive?", help_text="A column of yes and no.")

    column_names = ("prompt", "system", "reference", "tags", "is_sensitive")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["workspace"].queryset = managed_workspaces(user)  # type: ignore[attr-defined] # it has one
        for name in self.column_names:
            self.fields[name].widget.attrs |= {"list": "columns-found", "autocomplete": "off"}

    @property
    def column_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.column_names]

    @property
    def other_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name not in self.column_names]

    def options(self) -> ImportOptions:
        """What the form says about reading. Raises `PromptLayoutUnknown`."""
        said = self.cleaned_data
        tags = tuple(name.strip() for name in said["tags"].split(",") if name.strip())
        named = {name: said[name] for name in ("prompt", "system", "reference", "is_sensitive")}
        return ImportOptions(
            layout=said["layout"],
            columns=ColumnMapping(**named, tags=tags),
            turns=said["turns"] or "last",
            has_references=said["has_references"],
        )


class PromptImportForm(PromptSourceForm):
    """Where prompts go, and how strict the import is."""

    name = forms.CharField(max_length=120, label="Prompt set", help_text="A new one, or one that is there already.")
    skip_near_duplicates = forms.BooleanField(
        required=False, label="Pass over prompts that say what an earlier one says"
    )
    skip_malformed = forms.BooleanField(required=False, label="Pass over malformed rows")
    field_order = ("workspace", "name", "layout", "turns", "has_references", "skip_near_duplicates", "skip_malformed")


@require_GET
@signed_in
def prompt_sets(request: SignedInRequest) -> HttpResponse:
    """All prompt sets that the user may read."""
    if not is_reader(request.user):
        raise NotFound("There are no prompt sets for you to read.")
    rows = PromptSet.objects.visible_to(request.user).select_related("workspace").annotate(num_prompts=Count("prompts"))
    may_import = managed_workspaces(request.user).exists()
    return render(request, "frontend/generation/prompt_sets.html", {"prompt_sets": rows, "may_import": may_import})


@require_GET
@signed_in
def import_page(request: SignedInRequest) -> HttpResponse:
    """The form; `?name=…` is a set that is there already."""
    require_some_workspace(request.user)
    form = PromptImportForm(user=request.user, initial={"name": request.GET.get("name", "")[:120]})
    return _form(request, form)


@require_POST
@signed_in
def preview_import(request: SignedInRequest) -> HttpResponse:
    """The first rows as they would be stored, as a fragment."""
    form = PromptSourceForm(request.POST, user=request.user)
    if not form.is_valid():
        return render(request, "frontend/exchange/form_errors.html", {"form": form}, status=422)
    access.require_manager(request.user, form.cleaned_data["workspace"])
    preview = service.preview_prompts(files=uploaded_files(request), options=form.options())
    context = {"preview": preview, "num_files": len({row.file for row in preview.rows}), "read_as": _read_as(preview)}
    return render(request, "frontend/generation/import_preview.html", context)


@require_POST
@signed_in
def import_prompts(request: SignedInRequest) -> HttpResponse:
    """Import and show what became of it."""
    form = PromptImportForm(request.POST, user=request.user)
    if not form.is_valid():
        return _form(request, form, status=422)
    wanted = form.cleaned_data
    access.require_manager(request.user, wanted["workspace"])
    report = service.import_prompt_set(
        workspace=wanted["workspace"],
        name=wanted["name"],
        files=uploaded_files(request),
        options=form.options(),
        skip_malformed=wanted["skip_malformed"],
        skip_near_duplicates=wanted["skip_near_duplicates"],
    )
    context = {"report": report, "problems": report.problems[:NUM_PROBLEMS_SHOWN]}
    return render(request, "frontend/generation/import_report.html", context)


def _form(request: SignedInRequest, form: PromptImportForm, *, status: int = 200) -> HttpResponse:
    return render(request, "frontend/generation/import.html", {"form": form, "accepted": ACCEPTED}, status=status)


def _read_as(preview: service.PromptPreview) -> list[tuple[str, str]]:
    """(what it becomes, column) of a table's columns that are read."""
    named = {**vars(preview.columns), "tags": ", ".join(preview.columns.tags)}
    return [(name.replace("_", " "), column) for name, column in named.items() if column]
