"""Addresses of guard runs."""

from django.urls import path

from frontend.views import guards

urlpatterns = [
    path("start/", guards.start, name="start-guard"),
    path("<int:run_id>/", guards.guard_run, name="guard-run"),
    path("<int:run_id>/cancel/", guards.cancel, name="cancel-guard"),
]
