"""Addresses of LLM judges and of what they replied."""

from django.urls import path

from frontend.views import judge_campaigns, judges

urlpatterns = [
    path("judges/", judges.judges, name="judges"),
    path("judges/new/", judges.new_judge, name="new-judge"),
    path("judges/create/", judges.create_judge, name="create-judge"),
    path("judges/<int:judge_id>/", judges.judge, name="judge"),
    path("judges/<int:judge_id>/change/", judges.add_version, name="add-judge-version"),
    path("judges/<int:judge_id>/injection-test/", judges.test_injection, name="test-injection"),
    path("judging-runs/<int:run_id>/calls/", judges.calls, name="judge-calls"),
    path("judging-runs/<int:run_id>/reread/", judges.reread, name="reread-replies"),
    path("campaigns/<int:campaign_id>/judges/", judge_campaigns.campaign_judges, name="campaign-judges"),
    path("campaigns/<int:campaign_id>/judges/start/", judge_campaigns.start, name="start-judging"),
    path("campaigns/<int:campaign_id>/judges/<int:judge_id>/", judge_campaigns.calibration, name="calibration"),
    path(
        "campaigns/<int:campaign_id>/judges/<int:judge_id>/figures/",
        judge_campaigns.calibration_figures,
        name="calibration-figures",
    ),
    path("campaigns/<int:campaign_id>/routing/", judge_campaigns.set_routing, name="set-routing"),
    path("campaigns/<int:campaign_id>/routing/stop/", judge_campaigns.stop_routing, name="stop-routing"),
]
