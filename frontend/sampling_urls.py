"""Addresses of sampling runs."""

from django.urls import path

from frontend.views import generation, sampling, scoring

urlpatterns = [
    path("prompt-sets/<int:set_id>/sample/", sampling.new_sampling, name="new-sampling"),
    path("prompt-sets/<int:set_id>/sample/start/", sampling.start_sampling, name="start-sampling"),
    path("prompt-sets/<int:set_id>/sample/arm/", sampling.new_arm, name="new-sampling-arm"),
    path("prompt-sets/<int:set_id>/sample/estimate/", sampling.estimate_sampling, name="estimate-sampling"),
    path("sampling-runs/<int:run_id>/", generation.sampling_run, name="sampling-run"),
    path("sampling-runs/<int:run_id>/figures/", generation.sampling_figures, name="sampling-figures"),
    path("sampling-runs/<int:run_id>/cancel/", generation.cancel_sampling, name="cancel-sampling"),
    path("sampling-runs/<int:run_id>/retry/", sampling.retry_sampling, name="retry-sampling"),
    path("sampling-runs/<int:run_id>/score/", scoring.start_scoring, name="start-scoring"),
    path("scoring-runs/<int:run_id>/", scoring.scoring_run, name="scoring-run"),
    path("scoring-runs/<int:run_id>/best-of-n/", scoring.start_best_of_n, name="start-best-of-n"),
    path("scoring-runs/<int:run_id>/cancel/", scoring.cancel_scoring, name="cancel-scoring"),
]
