"""Addresses of sweeps."""

from django.urls import path

from frontend.views import sweeps

urlpatterns = [
    path("", sweeps.sweeps, name="sweeps"),
    path("new/", sweeps.new_sweep, name="new-sweep"),
    path("create/", sweeps.create_sweep, name="create-sweep"),
    path("preview/", sweeps.preview_sweep, name="preview-sweep"),
    path("<int:sweep_id>/", sweeps.sweep, name="sweep"),
    path("<int:sweep_id>/cancel/", sweeps.cancel_sweep, name="cancel-sweep"),
]
