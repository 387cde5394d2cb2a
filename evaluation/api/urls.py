"""REST addresses of this app."""

from django.urls import path

from accounts.api.viewsets import CANCEL, LIST, MANY, ONE
from evaluation.api.views import EvaluationViewSet, JudgedPairViewSet

urlpatterns = [
    path("evaluations", EvaluationViewSet.as_view(MANY), name="api-evaluations"),
    path("evaluations/<int:pk>", EvaluationViewSet.as_view(ONE), name="api-evaluation"),
    path("evaluations/<int:pk>/cancel", EvaluationViewSet.as_view(CANCEL), name="api-cancel-evaluation"),
    path("evaluations/<int:run>/pairs", JudgedPairViewSet.as_view(LIST), name="api-judged-pairs"),
]
