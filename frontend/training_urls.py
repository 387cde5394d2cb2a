"""Addresses of starting training runs."""

from django.urls import path

from frontend.views import new_training

urlpatterns = [
    path("new/", new_training.new_training, name="new-training"),
    path("start/", new_training.start_training, name="start-training"),
]
