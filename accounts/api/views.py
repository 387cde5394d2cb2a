"""Tokens and workspaces over REST."""

from typing import Any

from django.contrib.auth import authenticate
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from knox.settings import CONSTANTS
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts import services
from accounts.api.serializers import NewTokenSerializer, TokenInput, TokenSerializer, WorkspaceSerializer
from accounts.api.throttles import AttemptsPerAddress, AttemptsPerName
from accounts.api.viewsets import ApiViewSet
from accounts.models import User, Workspace
from core.errors import ConcordError


class CredentialsRefused(ConcordError):
    """The user name and password do not belong together, or the account is not active."""

    status = 401
    title = "Sign-in refused"


class TokenViewSet(ApiViewSet):
    """The user's own API tokens."""

    queryset = AuthToken.objects.order_by("-created", "digest")
    serializer_class = TokenSerializer

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = AuthToken.objects.order_by("-created", "digest")
        return rows.filter(user=self.request.user) if self.request.user.is_authenticated else rows.none()

    def get_authenticators(self) -> list[BaseAuthentication]:
        """None for the exchange of a password: an old token or session in the request must not stand in its way."""
        is_exchange = self.request is not None and self.request.method == "POST"
        return [] if is_exchange else super().get_authenticators()

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny()] if self.action == "create" else [*super().get_permissions()]  # type: ignore[list-item]

    def get_throttles(self) -> list[BaseThrottle]:
        return [AttemptsPerAddress(), AttemptsPerName()] if self.action == "create" else []

    @extend_schema(request=TokenInput, responses={201: NewTokenSerializer}, auth=[])
    def create(self, request: Request) -> Response:
        """Exchange a user name and password for a token.

        Ten attempts a minute are answered for one name.
        """
        wanted = self.read_input(TokenInput)
        user = authenticate(request, username=wanted["username"], password=wanted["password"])
        if not isinstance(user, User):
            raise CredentialsRefused("The user name and password do not match an active account.")
        token = services.issue_token(user=user, days=wanted["days"])
        row = AuthToken.objects.get(user=user, token_key=token[: CONSTANTS.TOKEN_KEY_LENGTH])
        shown = {**TokenSerializer(row).data, "token": token}
        return Response(shown, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, token_id: str) -> Response:
        """Revoke a token."""
        get_object_or_404(self.get_queryset(), token_key=token_id).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class WorkspaceViewSet(ApiViewSet):
    """The workspaces that the user is a member of."""

    queryset = Workspace.objects.order_by("name")
    serializer_class = WorkspaceSerializer
    orderings = ("name", "created_at")

    def get_queryset(self) -> QuerySet[Any]:
        rows = Workspace.objects.order_by("name")
        user = self.request.user
        if not user.is_authenticated:
            return rows.none()
        return rows if user.is_superuser else rows.filter(memberships__user=user)


class UnknownAddress(APIView):
    """Problem JSON for addresses under /api/v1/ that lead nowhere."""

    permission_classes = [AllowAny]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is nothing at this address. /api/docs/ lists every address.")
