"""What every REST view has in common: JSON only, signed-in users only, rows that the user may see only."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.authentication import SessionAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from accounts.api.authentication import ApiTokenAuthentication
from accounts.api.fields import InputSerializer
from accounts.api.listing import AllowListedListing, Filter, Pages
from accounts.api.parsers import JsonParser
from accounts.api.schema import ApiSchema
from accounts.models import User

# Which method does what, for the address tables.
MANY: dict[str, Any] = {"get": "list", "post": "create"}
LIST: dict[str, Any] = {"get": "list"}
ONE: dict[str, Any] = {"get": "retrieve"}
CANCEL: dict[str, Any] = {"post": "cancel"}


class AlwaysJson(BaseContentNegotiation):
    """Whatever the client accepts, it gets JSON; `?format=` is left to the views."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, str(first.media_type)


class ApiViewSet(GenericViewSet[Any]):
    """A noun of the API. Views call one service each; serializers never write.

    `serializer_class` shows one object, `list_serializer_class` (if given) one of a list.
    """

    authentication_classes = [ApiTokenAuthentication, SessionAuthentication]
    permission_classes = [IsAuthenticated]
    parser_classes = [JsonParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson
    schema = ApiSchema()
    filter_backends = [AllowListedListing]
    pagination_class: type[Pages] | None = Pages
    list_serializer_class: ClassVar[type[BaseSerializer[Any]] | None] = None
    filters: ClassVar[Mapping[str, Filter]] = {}
    orderings: ClassVar[Sequence[str]] = ()

    def get_queryset(self) -> QuerySet[Any]:
        """The rows that the user may read: everything else is "not found"."""
        rows: Any = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows.none()  # type: ignore[no-any-return] # the document is made without a user
        return rows.visible_to(self.request.user)  # type: ignore[no-any-return] # ours have it

    def get_object(self) -> Any:
        """The row of this address, if the user may read it; filters are for lists. Raises 404."""
        return get_object_or_404(self.get_queryset(), pk=self.kwargs["pk"])

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        if self.action == "list" and self.list_serializer_class is not None:
            return self.list_serializer_class
        return super().get_serializer_class()

    @property
    def user(self) -> User:
        """Who asks; permissions have turned everybody else away."""
        return cast(User, self.request.user)

    def parent(self, model: Any, pk: int) -> Any:
        """The row that this address hangs under, if the user may read it. Raises 404."""
        return get_object_or_404(model.objects.visible_to(self.request.user), pk=pk)

    def listing_filters(self) -> Mapping[str, Filter]:
        return self.filters

    def listing_orderings(self) -> Sequence[str]:
        return self.orderings

    def list(self, request: Request, **_: Any) -> Response:
        return self.page(self.filter_queryset(self.get_queryset()))

    def retrieve(self, request: Request, pk: int) -> Response:
        return self.show(self.get_object())

    def read_input(self, serializer_class: type[InputSerializer]) -> dict[str, Any]:
        """The checked body. Raises `ValidationError` naming each field."""
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def read_query(self, serializer_class: type[InputSerializer]) -> dict[str, Any]:
        """The checked query parameters."""
        query = self.request.query_params.dict()
        serializer = serializer_class(data=query, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def page(self, rows: Any) -> Response:
        """One page of rows through the view's serializer."""
        shown = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(shown, many=True).data)

    def show(self, row: object, *, status_code: int = status.HTTP_200_OK) -> Response:
        """One row through the view's serializer."""
        return Response(self.get_serializer(row).data, status=status_code)

    def created(self, row: object) -> Response:
        return self.show(row, status_code=status.HTTP_201_CREATED)
