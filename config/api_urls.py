"""REST addresses, one list an app."""

from django.urls import include, path

urlpatterns = [
    path("", include("accounts.api.urls")),
    path("", include("generation.api.urls")),
    path("", include("annotation.api.urls")),
    path("", include("training.api.urls")),
    path("", include("evaluation.api.urls")),
    path("", include("pipeline.api.urls")),
]
