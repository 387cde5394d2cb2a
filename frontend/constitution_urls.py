"""Addresses of constitutions and of runs that revise by them."""

from django.urls import path

from frontend.views import constitutions, revisions

urlpatterns = [
    path("constitutions/", constitutions.constitutions, name="constitutions"),
    path("constitutions/new/", constitutions.new_constitution, name="new-constitution"),
    path("constitutions/create/", constitutions.create_constitution, name="create-constitution"),
    path("constitutions/<int:constitution_id>/", constitutions.constitution, name="constitution"),
    path("constitutions/<int:constitution_id>/change/", constitutions.revise_constitution, name="revise-constitution"),
    path("constitutions/<int:constitution_id>/revise/", revisions.start, name="start-revision"),
    path("revision-runs/<int:run_id>/", revisions.revision_run, name="revision-run"),
    path("revision-runs/<int:run_id>/cancel/", revisions.cancel, name="cancel-revision"),
    path("revision-runs/<int:run_id>/compare/", revisions.compare, name="compare-revisions"),
]
