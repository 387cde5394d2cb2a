"""REST addresses of this app."""

from django.urls import path, register_converter
from django.urls.converters import IntConverter

from accounts.api.viewsets import CANCEL, LIST, MANY, ONE
from annotation import slot_numbers
from annotation.api.campaign_views import (
    AnnotatorViewSet,
    CampaignViewSet,
    ComparisonViewSet,
    EnrolmentViewSet,
    JudgingRunViewSet,
    JudgmentViewSet,
)
from annotation.api.dataset_trace_views import DatasetTraceViewSet
from annotation.api.dataset_views import DatasetViewSet, PairImportViewSet
from annotation.api.decision_views import (
    AdjudicationQueueViewSet,
    AdjudicationViewSet,
    DecisionViewSet,
    GoldCandidateViewSet,
    GoldItemViewSet,
    GoldViewSet,
)
from annotation.api.exchange_views import JudgmentExportViewSet, JudgmentImportViewSet
from annotation.api.judge_views import (
    CalibrationViewSet,
    JudgeCallViewSet,
    JudgeVersionViewSet,
    LlmJudgeViewSet,
    RoutingViewSet,
)
from annotation.api.labeling_actions import OwnJudgmentViewSet, OwnPlaceViewSet, SlotActionViewSet
from annotation.api.labeling_views import LabelingCampaignViewSet, NextTaskViewSet, SlotViewSet
from annotation.api.quality_views import (
    AlertViewSet,
    AnnotatorStatisticsViewSet,
    ConsensusRunViewSet,
    ConsensusViewSet,
    DisputeViewSet,
    PauseViewSet,
)
from annotation.api.revision_views import RevisionComparisonViewSet
from annotation.api.settings_views import CampaignSettingsViewSet


class SlotNumberConverter(IntConverter):
    """A slot's id, under the number that its annotator sees."""

    def to_python(self, value: str) -> int:
        return slot_numbers.pk_of(super().to_python(value))

    def to_url(self, value: str | int) -> str:
        return str(slot_numbers.shown(int(value)))


register_converter(SlotNumberConverter, "slot")

urlpatterns = [
    path(
        "campaigns/<int:campaign>/revision-comparisons",
        RevisionComparisonViewSet.as_view({"post": "create"}),
        name="api-revision-comparisons",
    ),
    path("campaigns", CampaignViewSet.as_view(MANY), name="api-campaigns"),
    path("campaigns/<int:pk>", CampaignViewSet.as_view(ONE), name="api-campaign"),
    path("campaigns/<int:pk>/open", CampaignViewSet.as_view({"post": "open"}), name="api-open-campaign"),
    path("campaigns/<int:pk>/pause", CampaignViewSet.as_view({"post": "pause"}), name="api-pause-campaign"),
    path("campaigns/<int:pk>/close", CampaignViewSet.as_view({"post": "close"}), name="api-close-campaign"),
    path(
        "campaigns/<int:pk>/versions",
        CampaignSettingsViewSet.as_view({"get": "versions"}),
        name="api-campaign-versions",
    ),
    path(
        "campaigns/<int:pk>/question",
        CampaignSettingsViewSet.as_view({"post": "question"}),
        name="api-campaign-question",
    ),
    path(
        "campaigns/<int:pk>/guidelines",
        CampaignSettingsViewSet.as_view({"post": "guidelines"}),
        name="api-campaign-guidelines",
    ),
    path(
        "campaigns/<int:pk>/policy",
        CampaignSettingsViewSet.as_view({"get": "retrieve", "post": "set_policy"}),
        name="api-campaign-policy",
    ),
    path("campaigns/<int:campaign>/comparisons", ComparisonViewSet.as_view(MANY), name="api-comparisons"),
    path("campaigns/<int:campaign>/annotators", EnrolmentViewSet.as_view(MANY), name="api-enrolments"),
    path("campaigns/<int:campaign>/judgments", JudgmentViewSet.as_view(LIST), name="api-judgments"),
    path("campaigns/<int:pk>/agreement", CampaignViewSet.as_view({"get": "agreement"}), name="api-agreement"),
    path(
        "campaigns/<int:campaign>/annotator-statistics",
        AnnotatorStatisticsViewSet.as_view(LIST),
        name="api-annotator-statistics",
    ),
    path("campaigns/<int:campaign>/alerts", AlertViewSet.as_view(LIST), name="api-alerts"),
    path(
        "campaigns/<int:campaign>/alerts/<int:pk>/resolve",
        AlertViewSet.as_view({"post": "resolve"}),
        name="api-resolve-alert",
    ),
    path("campaigns/<int:campaign>/pauses", PauseViewSet.as_view(LIST), name="api-pauses"),
    *(
        path(
            f"campaigns/<int:campaign>/annotators/<int:annotator>/{action}",
            PauseViewSet.as_view({"post": action}),
            name=f"api-{action}-annotator",
        )
        for action in ("pause", "resume", "uphold")
    ),
    path(
        "campaigns/<int:campaign>/adjudication", AdjudicationQueueViewSet.as_view(LIST), name="api-adjudication-queue"
    ),
    path("campaigns/<int:campaign>/decisions", DecisionViewSet.as_view(LIST), name="api-decisions"),
    path("campaigns/<int:campaign>/gold", GoldItemViewSet.as_view(LIST), name="api-gold-items"),
    path("campaigns/<int:campaign>/gold-candidates", GoldCandidateViewSet.as_view(LIST), name="api-gold-candidates"),
    path(
        "campaigns/<int:campaign>/gold/unanimous",
        GoldItemViewSet.as_view({"post": "promote_unanimous"}),
        name="api-promote-unanimous",
    ),
    path(
        "comparisons/<int:pk>/adjudication",
        AdjudicationViewSet.as_view({"get": "retrieve", "post": "take", "delete": "release"}),
        name="api-adjudication",
    ),
    path(
        "comparisons/<int:pk>/decision",
        AdjudicationViewSet.as_view({"post": "decide", "delete": "reopen"}),
        name="api-decision",
    ),
    path("comparisons/<int:pk>/gold", GoldViewSet.as_view({"post": "mark", "delete": "unmark"}), name="api-gold"),
    path("consensus-runs", ConsensusRunViewSet.as_view(MANY), name="api-consensus-runs"),
    path("consensus-runs/<int:pk>", ConsensusRunViewSet.as_view(ONE), name="api-consensus-run"),
    path("consensus-runs/<int:pk>/cancel", ConsensusRunViewSet.as_view(CANCEL), name="api-cancel-consensus"),
    path("consensus-runs/<int:run>/rows", ConsensusViewSet.as_view(LIST), name="api-consensus-rows"),
    path(
        "campaigns/<int:pk>/next-task",
        NextTaskViewSet.as_view({"get": "retrieve", "post": "claim"}),
        name="api-next-task",
    ),
    path("labeling/campaigns", LabelingCampaignViewSet.as_view(LIST), name="api-labeling-campaigns"),
    path("slots/<slot:pk>/judgment", SlotViewSet.as_view({"post": "judge"}), name="api-judge-slot"),
    path("labeling/campaigns/<int:campaign>/judgments", OwnJudgmentViewSet.as_view(LIST), name="api-own-judgments"),
    path(
        "labeling/campaigns/<int:pk>/acknowledge",
        OwnPlaceViewSet.as_view({"post": "acknowledge"}),
        name="api-acknowledge-guidelines",
    ),
    path("labeling/campaigns/<int:pk>/opt-outs", OwnPlaceViewSet.as_view({"post": "opt_out"}), name="api-opt-out"),
    path("labeling/campaigns/<int:pk>/dispute", DisputeViewSet.as_view({"post": "create"}), name="api-dispute"),
    path("judgments/<int:pk>/revise", OwnJudgmentViewSet.as_view({"post": "revise"}), name="api-revise-judgment"),
    path("slots/<slot:pk>/release", SlotViewSet.as_view({"post": "release"}), name="api-release-slot"),
    path("slots/<slot:pk>/skip", SlotActionViewSet.as_view({"post": "skip"}), name="api-skip-slot"),
    path("slots/<slot:pk>/draft", SlotActionViewSet.as_view({"post": "draft"}), name="api-save-draft"),
    path("slots/<slot:pk>/renew", SlotActionViewSet.as_view({"post": "renew"}), name="api-renew-lease"),
    path("annotators", AnnotatorViewSet.as_view(MANY), name="api-annotators"),
    path("annotators/<int:pk>", AnnotatorViewSet.as_view(ONE), name="api-annotator"),
    path("judges", LlmJudgeViewSet.as_view({"post": "create"}), name="api-judges"),
    path("judge-panels", LlmJudgeViewSet.as_view({"post": "create_panel"}), name="api-judge-panels"),
    path("annotators/<int:annotator>/versions", JudgeVersionViewSet.as_view(MANY), name="api-judge-versions"),
    path("judge-calls/<int:pk>", JudgeCallViewSet.as_view(ONE), name="api-judge-call"),
    path("judging-runs/<int:run>/calls", JudgeCallViewSet.as_view(LIST), name="api-judge-calls"),
    path("judging-runs/<int:run>/reread", JudgeCallViewSet.as_view({"post": "reread"}), name="api-reread-replies"),
    path(
        "campaigns/<int:campaign>/calibration/<int:annotator>",
        CalibrationViewSet.as_view({"get": "show_calibration"}),
        name="api-calibration",
    ),
    path(
        "campaigns/<int:campaign>/routing",
        RoutingViewSet.as_view({"get": "show_routing", "put": "set_routing", "delete": "stop"}),
        name="api-routing",
    ),
    path("judging-runs", JudgingRunViewSet.as_view(MANY), name="api-judging-runs"),
    path("judging-runs/<int:pk>", JudgingRunViewSet.as_view(ONE), name="api-judging-run"),
    path("judging-runs/<int:pk>/cancel", JudgingRunViewSet.as_view(CANCEL), name="api-cancel-judging"),
    path("datasets", DatasetViewSet.as_view(MANY), name="api-datasets"),
    path("datasets/<int:pk>", DatasetViewSet.as_view(ONE), name="api-dataset"),
    path("datasets/<int:pk>/cancel", DatasetViewSet.as_view(CANCEL), name="api-cancel-freeze"),
    path("datasets/<int:pk>/rows", DatasetViewSet.as_view({"get": "rows"}), name="api-dataset-rows"),
    path(
        "datasets/<int:pk>/annotators",
        DatasetTraceViewSet.as_view({"get": "annotators"}),
        name="api-dataset-annotators",
    ),
    path(
        "datasets/<int:pk>/judgments",
        DatasetTraceViewSet.as_view({"get": "judgments"}),
        name="api-dataset-judgments",
    ),
    path("datasets/<int:pk>/download", DatasetViewSet.as_view({"get": "download"}), name="api-dataset-download"),
    path("judgment-imports", JudgmentImportViewSet.as_view({"post": "create"}), name="api-judgment-imports"),
    path(
        "judgment-imports/preview",
        JudgmentImportViewSet.as_view({"post": "preview"}),
        name="api-judgment-import-preview",
    ),
    path("judgment-export", JudgmentExportViewSet.as_view({"get": "download"}), name="api-judgment-export"),
    path("preference-pairs", PairImportViewSet.as_view({"post": "create"}), name="api-preference-pairs"),
]
