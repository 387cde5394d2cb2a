"""What heavy jobs compute on, over REST."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from accounts.api.listing import by_choice, by_text
from accounts.api.viewsets import ApiViewSet
from accounts.models import Membership
from accounts.querysets import READING_ROLES
from core.models import Device


class DeviceSerializer(serializers.ModelSerializer[Device]):
    """A device and the job that holds it."""

    holder = serializers.CharField(read_only=True, help_text="Such as training run 12; empty: free.")
    leased_until = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="Moves on while the job lives. After that others may take it.",
    )

    class Meta:
        model = Device
        fields = [
            "id",
            "key",
            "kind",
            "host",
            "name",
            "seen_at",
            "holder",
            "holder_model",
            "holder_id",
            "attempt",
            "leased_at",
            "leased_until",
        ]


class DeviceViewSet(ApiViewSet):
    """Devices of the machines whose workers have looked for one: managers and engineers of any workspace see them."""

    queryset = Device.objects.order_by("host", "key")
    serializer_class = DeviceSerializer
    filters = {"kind": by_choice("kind", Device.Kind.choices), "host": by_text("host")}
    orderings = ("host", "name", "seen_at")

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = Device.objects.order_by("host", "key")
        user = self.request.user
        is_reader = user.is_authenticated and (
            user.is_superuser or Membership.objects.filter(user=user, role__in=READING_ROLES).exists()
        )
        return rows if is_reader else rows.none()
