"""REST addresses of this app."""

from django.urls import path

from accounts.api.viewsets import CANCEL, MANY, ONE
from evaluation.api.views import EvaluationViewSet

urlpatterns = [
    path("evaluations", EvaluationViewSet.as_view(MANY), name="api-evaluations"),
    path("evaluations/<int:pk>", EvaluationViewSet.as_view(ONE), name="api-evaluation"),
    path("evaluations/<int:pk>/cancel", EvaluationViewSet.as_view(CANCEL), name="api-cancel-evaluation"),
]
