"""Users, workspaces and tokens in the admin, and the two kinds of page that every app uses.

The admin is for administrators: it looks at everything and changes little. What a service must check, a service
writes; the admin shows it.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from knox.models import AuthToken
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import Membership, User, Workspace
from core import jobs
from core.errors import IllegalTransition

admin.site.unregister(Group)  # roles are memberships of workspaces
admin.site.unregister(AuthToken)


class RecordAdmin(ModelAdmin):
    """Rows that services write: all columns are shown, and those in `editable` may be changed."""

    editable: ClassVar[Sequence[str]] = ()
    is_deletable: ClassVar[bool] = True
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(self.editable) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.is_deletable and bool(super().has_delete_permission(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        columns = [field.name for field in (*self.opts.fields, *self.opts.many_to_many)]
        return [name for name in columns if name not in (*self.editable, *(self.exclude or ()))]


class RecordInline(TabularInline):
    """Rows that belong to another, shown beside it."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class JobAdmin(RecordAdmin):
    """Runs: their workers own the columns, so that people can look, rename and cancel."""

    list_display: Sequence[str] = ("id", "name", "workspace", "status", "percent", "attempt", "created_at")
    list_filter: Sequence[str] = ("status", "workspace")
    search_fields: Sequence[str] = ("name", "error")
    list_select_related: Sequence[str] = ("workspace",)
    date_hierarchy = "created_at"
    editable: ClassVar[Sequence[str]] = ("name",)
    actions: ClassVar[Sequence[str]] = ("cancel",)

    @admin.display(description="done")
    def percent(self, job: Any) -> str:
        return f"{job.progress:.0%}"

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return bool(super(RecordAdmin, self).has_change_permission(request))

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for job in queryset:
            try:
                jobs.request_cancel(job)
            except IllegalTransition as error:
                self.message_user(request, error.detail, messages.WARNING)


class MembershipInline(TabularInline):
    """Roles, from either side."""

    model = Membership
    extra = 0
    autocomplete_fields = ("user", "workspace")


@admin.register(User)
class UserAdmin(BaseUserAdmin[User], ModelAdmin):
    """People. Administrators are those with `is_superuser`; everybody else has roles."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "memberships__role", "workspaces")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("About", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()
    inlines = (MembershipInline,)


@admin.register(Workspace)
class WorkspaceAdmin(ModelAdmin):
    """Workspaces and their members."""

    list_display = ("name", "created_at")
    search_fields = ("name",)
    inlines = (MembershipInline,)


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):
    """Who has which role where."""

    list_display = ("user", "workspace", "role")
    list_filter = ("role", "workspace")
    search_fields = ("user__username", "workspace__name")
    list_select_related = ("user", "workspace")
    autocomplete_fields = ("user", "workspace")


@admin.register(AuthToken)
class TokenAdmin(RecordAdmin):
    """API tokens: deleting one revokes it. The hash is not shown."""

    list_display = ("token_key", "user", "created", "expiry")
    list_filter = ("expiry",)
    search_fields = ("token_key", "user__username")
    list_select_related = ("user",)
    exclude = ("digest",)
