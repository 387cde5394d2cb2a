"""Addresses of the question editor."""

from django.urls import path

from frontend.views import questions

urlpatterns = [
    path("new/", questions.new_campaign, name="new-campaign"),
    path("new/create/", questions.create_campaign, name="create-campaign"),
    path("new/preview/", questions.preview_question, name="preview-question"),
    path("<int:campaign_id>/edit/", questions.edit_campaign, name="edit-campaign"),
    path("<int:campaign_id>/edit/preview/", questions.preview_revision, name="preview-revision"),
    path("<int:campaign_id>/edit/question/", questions.revise_question, name="revise-question"),
    path("<int:campaign_id>/edit/guidelines/", questions.revise_guidelines, name="revise-guidelines"),
    path("<int:campaign_id>/edit/policy/", questions.change_policy, name="change-policy"),
]
