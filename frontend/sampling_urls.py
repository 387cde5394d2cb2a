"""Addresses of sampling runs."""

from django.urls import path

from frontend.views import generation, sampling

urlpatterns = [
    path("prompt-sets/<int:set_id>/sample/", sampling.new_sampling, name="new-sampling"),
    path("prompt-sets/<int:set_id>/sample/start/", sampling.start_sampling, name="start-sampling"),
    path("prompt-sets/<int:set_id>/sample/arm/", sampling.new_arm, name="new-sampling-arm"),
    path("prompt-sets/<int:set_id>/sample/estimate/", sampling.estimate_sampling, name="estimate-sampling"),
    path("sampling-runs/<int:run_id>/", generation.sampling_run, name="sampling-run"),
    path("sampling-runs/<int:run_id>/figures/", generation.sampling_figures, name="sampling-figures"),
    path("sampling-runs/<int:run_id>/cancel/", generation.cancel_sampling, name="cancel-sampling"),
    path("sampling-runs/<int:run_id>/retry/", sampling.retry_sampling, name="retry-sampling"),
]
