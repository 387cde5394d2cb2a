"""Page addresses: one flat table."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
