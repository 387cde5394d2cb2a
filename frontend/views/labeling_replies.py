"""How the labeler's views answer: JSON to the page's script, pages and redirects to a browser without one."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import Http404, HttpResponse, JsonResponse

from annotation import slot_numbers
from annotation.models import Enrolment
from core.compiled import CompiledQuery
from core.errors import ConcordError
from frontend.access import SignedInRequest

P = ParamSpec("P")
View = Callable[Concatenate[SignedInRequest, P], HttpResponse]

OWN_ENROLMENT = CompiledQuery(
    lambda user, campaign: (
        Enrolment.objects.filter(annotator__user=user, campaign=campaign)
        .select_related("campaign", "annotator")
        .order_by()
    ),
    user=-1,
    campaign=-2,
)


class WrongUser(ConcordError):
    """The page belongs to somebody else than who is signed in now."""

    status = 403
    title = "Somebody else has signed in"


def is_script(request: SignedInRequest) -> bool:
    return request.headers.get("Accept") == "application/json" or "X-Fragment" in request.headers


def in_json(view: View[P]) -> View[P]:
    """Problems as problem JSON if a script asked; and never an answer of one user under the name of another."""

    @wraps(view)
    def answered(request: SignedInRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            _check_user(request)
            return view(request, *args, **kwargs)
        except ConcordError as error:
            if not is_script(request):
                raise
            return _problem(error)

    return answered


def own_enrolment(request: SignedInRequest, campaign_id: int) -> Enrolment:
    """The user's own place in the campaign; 404 for everybody else, managers included."""
    own = OWN_ENROLMENT.first(user=request.user.pk, campaign=campaign_id)
    if own is None:
        raise Http404
    return own


def posted_number(request: SignedInRequest, name: str) -> int:
    """A whole number of the form; what is none counts as 0."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def posted_slot(request: SignedInRequest) -> int:
    """The id of the slot that the form is about; 0 if it says none."""
    return slot_numbers.pk_in(request.POST.get("slot", ""))


def _check_user(request: SignedInRequest) -> None:
    user = request.POST.get("user")
    if user is not None and user != str(request.user.pk):
        raise WrongUser("This page was opened by another user. Sign in as them, or load the page again.")


def _problem(error: ConcordError) -> JsonResponse:
    body: dict[str, Any] = {
        "type": f"urn:concord:{error.kind}",
        "kind": error.kind,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        **error.fields,
    }
    return JsonResponse(body, status=error.status, content_type="application/problem+json")
