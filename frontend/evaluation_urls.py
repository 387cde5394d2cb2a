"""Addresses of starting evaluations."""

from django.urls import path

from frontend.views import new_evaluations

urlpatterns = [
    path("new/", new_evaluations.new_evaluation, name="new-evaluation"),
    path("start/", new_evaluations.start_evaluation, name="start-evaluation"),
]
