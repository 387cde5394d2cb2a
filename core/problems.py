"""One error shape: RFC 9457 problem JSON for programs, the same words as a page or fragment for people."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from core.errors import ConcordError, DatabaseUnreachable, is_unreachable

PROBLEM_CONTENT_TYPE = "application/problem+json"


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. Unexpected errors are not handled here: they propagate."""
    if is_unreachable(error):
        error = DatabaseUnreachable.at(connection.settings_dict, error)
    if isinstance(error, ConcordError):
        return _problem(error.status, error.title, error.detail, error.kind, error.fields)
    response = exception_handler(error, context)
    if response is None:
        return None
    problem = _problem(response.status_code, _title(error), _detail(error), _kind(error), _fields(error))
    for name, value in response.headers.items():
        if name not in {"Content-Type", "Vary", "Allow"}:
            problem.headers[name] = value
    return problem


class ProblemPageMiddleware:
    """Renders a `ConcordError` that a page's view raised, as a fragment when htmx asked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if is_unreachable(error):
            problem = DatabaseUnreachable.at(connection.settings_dict, error)
            return HttpResponse(f"{problem.title}. {problem.detail}", status=503, content_type="text/plain")
        if not isinstance(error, ConcordError):
            return None
        is_fragment = bool(getattr(request, "htmx", False))
        template = "core/problem_fragment.html" if is_fragment else "core/problem.html"
        return render(request, template, {"problem": error}, status=error.status)


def _problem(status: int, title: str, detail: str, kind: str, fields: dict[str, Any]) -> Response:
    body = {"type": f"urn:concord:{kind}", "title": title, "status": status, "detail": detail, **fields}
    return Response(body, status=status, content_type=PROBLEM_CONTENT_TYPE)


def _title(error: Exception) -> str:
    if isinstance(error, Http404):
        return "Not found"
    if isinstance(error, PermissionDenied):
        return "Not allowed"
    if isinstance(error, exceptions.APIException):
        return HTTPStatus(error.status_code).phrase.capitalize()
    return "The request cannot be carried out"


def _kind(error: Exception) -> str:
    """A word with hyphens, like the kinds of our own errors."""
    word = getattr(error, "default_code", "not-found" if isinstance(error, Http404) else "refused")
    return str(word).replace("_", "-")


def _detail(error: Exception) -> str:
    if isinstance(error, exceptions.ValidationError):
        return "Some fields are missing or malformed; `errors` names each of them."
    if isinstance(error, exceptions.APIException):
        return str(error.detail)
    return str(error) or _title(error)


def _fields(error: Exception) -> dict[str, Any]:
    return {"errors": error.detail} if isinstance(error, exceptions.ValidationError) else {}
