"""REST addresses of this app."""

from django.urls import path

from accounts.api.viewsets import CANCEL, LIST, MANY, ONE
from training.api.retraining_views import RetrainingViewSet
from training.api.views import (
    CheckpointViewSet,
    DataReportViewSet,
    MetricViewSet,
    SampleTextViewSet,
    TrainingRunViewSet,
)

urlpatterns = [
    path("training-runs", TrainingRunViewSet.as_view(MANY), name="api-training-runs"),
    path("training-runs/<int:pk>", TrainingRunViewSet.as_view(ONE), name="api-training-run"),
    path("training-runs/estimate", TrainingRunViewSet.as_view({"post": "estimate"}), name="api-estimate-training"),
    path("training-runs/<int:pk>/card", TrainingRunViewSet.as_view({"get": "card"}), name="api-model-card"),
    path("data-reports", DataReportViewSet.as_view(MANY), name="api-data-reports"),
    path("data-reports/<int:pk>", DataReportViewSet.as_view(ONE), name="api-data-report"),
    path("training-runs/<int:pk>/cancel", TrainingRunViewSet.as_view(CANCEL), name="api-cancel-training"),
    path("training-runs/<int:pk>/pause", TrainingRunViewSet.as_view({"post": "pause"}), name="api-pause-training"),
    path("training-runs/<int:pk>/resume", TrainingRunViewSet.as_view({"post": "resume"}), name="api-resume-training"),
    path("training-runs/<int:run>/metrics", MetricViewSet.as_view(LIST), name="api-metrics"),
    path("training-runs/<int:run>/sample-texts", SampleTextViewSet.as_view(LIST), name="api-sample-texts"),
    path("training-runs/<int:run>/checkpoints", CheckpointViewSet.as_view(LIST), name="api-checkpoints"),
    path("retrainings", RetrainingViewSet.as_view(LIST), name="api-retrainings"),
    path("retrainings/<int:pk>", RetrainingViewSet.as_view(ONE), name="api-retraining"),
    path("retrainings/<int:pk>/cancel", RetrainingViewSet.as_view(CANCEL), name="api-cancel-retraining"),
    path("training-runs/<int:run>/retrain", RetrainingViewSet.as_view({"post": "start"}), name="api-retrain"),
    path("checkpoints/<int:pk>", CheckpointViewSet.as_view(ONE), name="api-checkpoint"),
    path("checkpoints/<int:pk>/lineage", CheckpointViewSet.as_view({"get": "lineage"}), name="api-checkpoint-lineage"),
    path("checkpoints/<int:pk>/export", CheckpointViewSet.as_view({"get": "export"}), name="api-export-checkpoint"),
    path("checkpoints/<int:pk>/publish", CheckpointViewSet.as_view({"post": "publish"}), name="api-publish-checkpoint"),
]
