"""REST addresses, one list an app."""

from django.urls import include, path, re_path

from accounts.api.views import UnknownAddress

urlpatterns = [
    path("", include("accounts.api.urls")),
    path("", include("generation.api.urls")),
    path("", include("annotation.api.urls")),
    path("", include("training.api.urls")),
    path("", include("evaluation.api.urls")),
    path("", include("pipeline.api.urls")),
    re_path(r"^.*$", UnknownAddress.as_view()),
]
