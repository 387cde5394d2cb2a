"""Addresses of checkpoints and of what they rest on."""

from django.urls import path

from frontend.views import checkpoints, dataset_trace, retrainings, rounds, serving

urlpatterns = [
    path("checkpoints/<int:checkpoint_id>/", checkpoints.checkpoint, name="checkpoint"),
    path("checkpoints/<int:checkpoint_id>/publish/", checkpoints.publish, name="publish-checkpoint"),
    path("checkpoints/<int:checkpoint_id>/export.tar", checkpoints.export, name="export-checkpoint"),
    path("checkpoints/<int:checkpoint_id>/next-round/", rounds.start_round, name="start-round"),
    path("rounds/<int:round_id>/", rounds.round_page, name="round"),
    path("models/<int:model_id>/serve/", serving.serve, name="serve-model"),
    path("serving-runs/<int:run_id>/", serving.serving_run, name="serving-run"),
    path("serving-runs/<int:run_id>/stop/", serving.stop_serving, name="stop-serving"),
    path("training/<int:run_id>/retrain/", retrainings.start, name="retrain"),
    path("retrainings/<int:retraining_id>/", retrainings.retraining, name="retraining"),
    path("retrainings/<int:retraining_id>/cancel/", retrainings.cancel, name="cancel-retraining"),
    path("datasets/<int:dataset_id>/judgments/", dataset_trace.judgments, name="dataset-judgments"),
]
