"""Page addresses: one flat table."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from frontend.views import (
    campaigns,
    datasets,
    evaluations,
    generation,
    home,
    judging,
    labeling,
    pipelines,
    tokens,
    training,
)

sign_in = LoginView.as_view(template_name="frontend/sign_in.html", redirect_authenticated_user=True)

urlpatterns = [
    path("", home.home, name="home"),
    path("sign-in/", sign_in, name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("label/<int:campaign_id>/", labeling.label, name="label"),
    path("label/<int:campaign_id>/next/", labeling.next_task, name="next-task"),
    path("label/<int:campaign_id>/submit/", labeling.submit, name="submit-judgment"),
    path("label/<int:campaign_id>/release/", labeling.release, name="release-slot"),
    path("campaigns/", campaigns.campaigns, name="campaigns"),
    path("campaigns/<int:campaign_id>/", campaigns.campaign, name="campaign"),
    path("campaigns/<int:campaign_id>/progress/", campaigns.campaign_progress, name="campaign-progress"),
    path("campaigns/<int:campaign_id>/status/", campaigns.campaign_status, name="campaign-status"),
    path("judging-runs/<int:run_id>/", judging.judging_run, name="judging-run"),
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/<int:dataset_id>/", datasets.dataset, name="dataset"),
    path("datasets/<int:dataset_id>/data.parquet", datasets.dataset_parquet, name="dataset-parquet"),
    path("datasets/<int:dataset_id>/data.jsonl", datasets.dataset_jsonl, name="dataset-jsonl"),
    path("training/", training.training_runs, name="training-runs"),
    path("training/<int:run_id>/", training.training_run, name="training-run"),
    path("training/<int:run_id>/state/", training.training_state, name="training-state"),
    path("training/<int:run_id>/metrics/", training.training_metrics, name="training-metrics"),
    path("training/<int:run_id>/cancel/", training.cancel_training, name="cancel-training"),
    path("evaluations/", evaluations.evaluations, name="evaluations"),
    path("evaluations/<int:run_id>/", evaluations.evaluation, name="evaluation"),
    path("evaluations/<int:run_id>/cancel/", evaluations.cancel_evaluation, name="cancel-evaluation"),
    path("prompt-sets/<int:set_id>/", generation.prompt_set, name="prompt-set"),
    path("models/<int:model_id>/", generation.language_model, name="language-model"),
    path("sampling-runs/<int:run_id>/", generation.sampling_run, name="sampling-run"),
    path("sampling-runs/<int:run_id>/cancel/", generation.cancel_sampling, name="cancel-sampling"),
    path("pipelines/", pipelines.pipelines, name="pipelines"),
    path("pipelines/<int:run_id>/", pipelines.pipeline, name="pipeline"),
    path("pipelines/<int:run_id>/cancel/", pipelines.cancel_pipeline, name="cancel-pipeline"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/create/", tokens.create_token, name="create-token"),
    path("tokens/<str:digest>/revoke/", tokens.revoke_token, name="revoke-token"),
]
