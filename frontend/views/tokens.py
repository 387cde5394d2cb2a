"""API tokens: made here, shown once, revoked here."""

from datetime import timedelta

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from knox.models import AuthToken

from accounts import services
from frontend.access import SignedInRequest, signed_in


class TokenForm(forms.Form):
    """How long a new token lives."""

    days = forms.IntegerField(min_value=1, max_value=365, initial=90, label="Valid for (days)")


@require_GET
@signed_in
def tokens(request: SignedInRequest) -> HttpResponse:
    """The user's own tokens."""
    return _page(request, TokenForm())


@require_POST
@signed_in
@never_cache
def create_token(request: SignedInRequest) -> HttpResponse:
    """Make a token and show it, this once."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    return _page(request, TokenForm(), token=services.issue_token(user=request.user, days=form.cleaned_data["days"]))


@require_POST
@signed_in
def revoke_token(request: SignedInRequest, digest: str) -> HttpResponse:
    """Make a token useless from now on."""
    get_object_or_404(AuthToken, digest=digest, user=request.user).delete()
    return redirect("tokens")


def _page(request: SignedInRequest, form: TokenForm, *, token: str = "", status: int = 200) -> HttpResponse:
    own = AuthToken.objects.filter(user=request.user).order_by("-created")
    soon = timezone.now() + timedelta(days=7)
    context = {"tokens": own, "form": form, "new_token": token, "now": timezone.now(), "soon": soon}
    return render(request, "frontend/tokens.html", context, status=status)
