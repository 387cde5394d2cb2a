"""Tokens and workspaces, in and out."""

from typing import Any

from knox.models import AuthToken
from rest_framework import serializers

from accounts.access import role_in
from accounts.api.fields import InputSerializer
from accounts.models import Workspace

MAX_TOKEN_DAYS = 365


class TokenInput(InputSerializer):
    """Who wants a token, and for how long."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    days = serializers.IntegerField(min_value=1, max_value=MAX_TOKEN_DAYS, default=90)


class TokenSerializer(serializers.ModelSerializer[AuthToken]):
    """A token as its owner sees it later: never the secret itself."""

    id = serializers.CharField(source="token_key", read_only=True, help_text="The token's first characters.")
    created_at = serializers.DateTimeField(source="created", read_only=True)
    expires_at = serializers.DateTimeField(source="expiry", read_only=True)

    class Meta:
        model = AuthToken
        fields = ["id", "created_at", "expires_at"]


class NewTokenSerializer(TokenSerializer):
    """A token when it is made."""

    token = serializers.CharField(read_only=True, help_text="The secret. It is shown once and not stored.")

    class Meta(TokenSerializer.Meta):
        fields = ["token", *TokenSerializer.Meta.fields]


class WorkspaceSerializer(serializers.ModelSerializer[Workspace]):
    """A workspace and the reader's part in it."""

    role = serializers.SerializerMethodField(help_text="manager, engineer, labeler, or admin for administrators.")

    class Meta:
        model = Workspace
        fields = ["id", "name", "role", "created_at"]

    def get_role(self, workspace: Workspace) -> str:
        user: Any = self.context["request"].user
        return role_in(user, workspace) or ""
