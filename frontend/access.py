"""Who may open a page at all, and which of its buttons they are shown."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts.access import role_in
from accounts.models import Membership, User, Workspace
from accounts.querysets import READING_ROLES

P = ParamSpec("P")


class SignedInRequest(HttpRequest):
    """A request of somebody known, with what django-htmx adds."""

    user: User
    htmx: HtmxDetails


View = Callable[Concatenate[SignedInRequest, P], HttpResponseBase]


def signed_in(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Send strangers to the sign-in page; where htmx asked, the whole page goes there, not the fragment."""

    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(cast(SignedInRequest, request), *args, **kwargs)
        if getattr(request, "htmx", False):
            return HttpResponseClientRedirect(resolve_url("sign-in"))
        return redirect_to_login(request.get_full_path(), resolve_url("sign-in"))

    return checked


def is_reader(user: User) -> bool:
    """Managers, engineers and administrators have the management pages; labelers have their tasks."""
    return user.is_superuser or Membership.objects.filter(user=user, role__in=READING_ROLES).exists()


def engineered_workspaces(user: User) -> QuerySet[Workspace]:
    """Workspaces in which the user may train and evaluate."""
    if user.is_superuser:
        return Workspace.objects.all()
    return Workspace.objects.filter(memberships__user=user, memberships__role__in=READING_ROLES)


def may_manage(user: User, workspace: Workspace) -> bool:
    return role_in(user, workspace) in {"admin", Membership.Role.MANAGER}


def may_engineer(user: User, workspace: Workspace) -> bool:
    return may_manage(user, workspace) or role_in(user, workspace) == Membership.Role.ENGINEER
