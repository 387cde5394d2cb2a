"""REST addresses of this app."""

from django.urls import path

from accounts.api.devices import DeviceViewSet
from accounts.api.views import TokenViewSet, WorkspaceViewSet
from accounts.api.viewsets import LIST, MANY, ONE

urlpatterns = [
    path("devices", DeviceViewSet.as_view(LIST), name="api-devices"),
    path("tokens", TokenViewSet.as_view(MANY), name="api-tokens"),
    path("tokens/<str:token_id>", TokenViewSet.as_view({"delete": "destroy"}), name="api-token"),
    path("workspaces", WorkspaceViewSet.as_view(LIST), name="api-workspaces"),
    path("workspaces/<int:pk>", WorkspaceViewSet.as_view(ONE), name="api-workspace"),
]
