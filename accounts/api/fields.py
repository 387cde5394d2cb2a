"""Input fields and serializers that every endpoint shares. Nothing here writes to the database."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Workspace
from core.errors import NotFound

MAX_SEED = 2**63 - 1
MAX_DEPTH = 16


class InputSerializer(serializers.Serializer[Any]):
    """Checks a body. Fields that it does not know are refused, so that a typing mistake is not silently ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := sorted(str(key) for key in set(data) - set(self.fields))):
            known = ", ".join(self.fields)
            raise serializers.ValidationError({name: [f"Unknown field; known are {known}."] for name in unknown})
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.INT)
class WorkspaceField(serializers.PrimaryKeyRelatedField[Workspace]):
    """The id of a workspace; one that the user is no member of does not exist for them."""

    def get_queryset(self) -> QuerySet[Workspace]:
        user = self.context["request"].user
        return Workspace.objects.all() if user.is_superuser else Workspace.objects.filter(memberships__user=user)

    def to_internal_value(self, data: Any) -> Workspace:
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as error:
            if "does_not_exist" in str(error.get_codes()):
                raise NotFound("There is no such workspace, or you are not a member of it.") from None
            raise


class VisibleField(serializers.PrimaryKeyRelatedField[Any]):
    """The id of a row that the user may read."""

    def get_queryset(self) -> QuerySet[Any]:
        queryset: Any = super().get_queryset()
        return queryset.visible_to(self.context["request"].user)  # type: ignore[no-any-return] # ours have it


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.JSONField):
    """A JSON object that PostgreSQL can hold: no NUL character and no half of a surrogate pair anywhere in it."""

    default_error_messages = {
        "not_an_object": "Expected a JSON object.",
        "unstorable": "Texts may not hold NUL characters or unpaired surrogates; nesting ends at 16 levels.",
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        if not _is_storable(data):
            self.fail("unstorable")
        return data


def name_field() -> serializers.CharField:
    """The name of a thing, as every table has it."""
    return serializers.CharField(max_length=120)


def seed_field() -> serializers.IntegerField:
    """A seed; 0 unless given."""
    return serializers.IntegerField(min_value=0, max_value=MAX_SEED, default=0)


def _is_storable(value: Any, depth: int = 0) -> bool:
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(_is_storable(part, depth + 1) for pair in value.items() for part in pair)
    return all(_is_storable(part, depth + 1) for part in value) if isinstance(value, list) else True
