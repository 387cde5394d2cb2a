"""Addresses of a campaign's quality pages: dashboard, adjudication, gold."""

from django.urls import path

from frontend.views import adjudication, gold, quality

urlpatterns = [
    path("<int:campaign_id>/figures/", quality.figures, name="campaign-figures"),
    path("<int:campaign_id>/quality/", quality.campaign_quality, name="campaign-quality"),
    path("<int:campaign_id>/quality/served/", quality.why_served, name="why-served"),
    path("<int:campaign_id>/quality/consensus/", quality.start_consensus, name="start-consensus"),
    path("<int:campaign_id>/alerts/<int:alert_id>/resolve/", quality.resolve_alert, name="resolve-alert"),
    path("<int:campaign_id>/annotators/<int:annotator_id>/pause/", quality.pause, name="pause-annotator"),
    path("<int:campaign_id>/annotators/<int:annotator_id>/resume/", quality.resume, name="resume-annotator"),
    path("<int:campaign_id>/annotators/<int:annotator_id>/uphold/", quality.uphold, name="uphold-pause"),
    path("<int:campaign_id>/adjudication/", adjudication.adjudication_queue, name="adjudication"),
    path("<int:campaign_id>/adjudication/<int:comparison_id>/", adjudication.disputed, name="disputed"),
    path("<int:campaign_id>/adjudication/<int:comparison_id>/take/", adjudication.take, name="take-disputed"),
    path("<int:campaign_id>/adjudication/<int:comparison_id>/decide/", adjudication.decide, name="decide-disputed"),
    path("<int:campaign_id>/adjudication/<int:comparison_id>/release/", adjudication.release, name="release-disputed"),
    path("<int:campaign_id>/adjudication/<int:comparison_id>/reopen/", adjudication.reopen, name="reopen-disputed"),
    path("<int:campaign_id>/gold/", gold.gold_items, name="gold"),
    path("<int:campaign_id>/gold/unanimous/", gold.promote_unanimous, name="promote-unanimous"),
    path("<int:campaign_id>/gold/<int:comparison_id>/promote/", gold.promote, name="promote-gold"),
    path("<int:campaign_id>/gold/<int:comparison_id>/demote/", gold.demote, name="demote-gold"),
]
