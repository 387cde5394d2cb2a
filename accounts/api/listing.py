"""Lists: filters and orders from an allow-list, in pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.plumbing import build_basic_type, build_parameter_type
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.filters import BaseFilterBackend
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

MAX_OFFSET = 10**9
PAGE_WORDS = frozenset({"limit", "offset", "ordering"})


@dataclass(frozen=True)
class Filter:
    """One query parameter: which lookup it is, and which values it takes."""

    lookup: str
    field: serializers.Field[Any, Any, Any, Any]
    is_negated: bool = False  # for lookups such as "duplicate_of__isnull" behind ?is_duplicate=true


def by_id(lookup: str) -> Filter:
    """`?campaign=3`"""
    return Filter(lookup, serializers.IntegerField(min_value=1, max_value=2**63 - 1))


def by_choice(lookup: str, choices: list[tuple[str, str]]) -> Filter:
    """`?status=open`"""
    return Filter(lookup, serializers.ChoiceField(choices=choices))


def by_flag(lookup: str) -> Filter:
    """`?is_current=true`"""
    return Filter(lookup, serializers.BooleanField())


def by_presence(name: str) -> Filter:
    """`?is_duplicate=true` for rows whose `duplicate_of` is set"""
    return Filter(f"{name}__isnull", serializers.BooleanField(), is_negated=True)


def by_text(lookup: str) -> Filter:
    """`?name=…`"""
    return Filter(lookup, serializers.CharField(max_length=200))


class AllowListedListing(BaseFilterBackend):
    """Applies the view's `filters` and `orderings`; a parameter that is not among them is refused."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        filters: Mapping[str, Filter] = view.listing_filters()
        problems: dict[str, Any] = {}
        for name, text in request.query_params.items():
            if name in filters:
                try:
                    value = filters[name].field.run_validation(text)
                    queryset = queryset.filter(
                        **{filters[name].lookup: not value if filters[name].is_negated else value}
                    )
                except serializers.ValidationError as error:
                    problems[name] = error.detail
            elif name not in PAGE_WORDS:
                known = ", ".join(sorted({*filters, *PAGE_WORDS}))
                problems[name] = [f"Unknown parameter; known are {known}."]
        ordering = request.query_params.get("ordering")
        if ordering and ordering.removeprefix("-") not in view.listing_orderings():
            problems["ordering"] = [f"Lists can be ordered by {', '.join(view.listing_orderings())}, not {ordering}."]
        if problems:
            raise serializers.ValidationError(problems)
        return queryset.order_by(ordering, "pk") if ordering else queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """For the OpenAPI document."""
        parameters = [
            build_parameter_type(name=name, schema=_schema(spec.field), location="query")
            for name, spec in view.listing_filters().items()
        ]
        orders = [sign + name for name in view.listing_orderings() for sign in ("", "-")]
        if orders:
            schema = {"type": "string", "enum": orders}
            parameters.append(build_parameter_type(name="ordering", schema=schema, location="query"))
        return parameters


class Pages(LimitOffsetPagination):
    """`?limit=…&offset=…`; limits above 1,000 count as 1,000."""

    default_limit = 50
    max_limit = 1000

    def get_offset(self, request: Request) -> int:
        return min(super().get_offset(request), MAX_OFFSET)


class LongPages(Pages):
    """For rows that are small and read in bulk."""

    default_limit = 1000
    max_limit = 10_000


def _schema(field: serializers.Field[Any, Any, Any, Any]) -> dict[str, Any]:
    if isinstance(field, serializers.ChoiceField):
        return {"type": "string", "enum": list(field.choices)}
    if isinstance(field, serializers.BooleanField):
        return dict(build_basic_type(OpenApiTypes.BOOL) or {})
    if isinstance(field, serializers.IntegerField):
        return dict(build_basic_type(OpenApiTypes.INT) or {})
    return dict(build_basic_type(OpenApiTypes.STR) or {})
