"""Addresses of checkpoints and of what they rest on."""

from django.urls import path

from frontend.views import checkpoints, dataset_trace

urlpatterns = [
    path("checkpoints/<int:checkpoint_id>/", checkpoints.checkpoint, name="checkpoint"),
    path("checkpoints/<int:checkpoint_id>/publish/", checkpoints.publish, name="publish-checkpoint"),
    path("datasets/<int:dataset_id>/judgments/", dataset_trace.judgments, name="dataset-judgments"),
]
