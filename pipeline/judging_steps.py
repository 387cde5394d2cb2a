"""Steps that collect judgments and freeze them."""

from collections.abc import Sequence

from annotation import question, reports
from annotation import services as annotation
from annotation.models import Annotator, Campaign, Dataset
from annotation.question import Question
from core.models import Job
from generation.models import SamplingRun
from pipeline.candidate_steps import sizes_of
from pipeline.context import Context

JUDGE_NAMES = {"strict": "Scripted rubric judge (strict)", "lenient": "Scripted rubric judge (lenient)"}
GUIDELINES = {
    "pairwise": """Each prompt has one right answer.

- Prefer the reply that **is** the right answer, exactly as asked for.
- If neither is right, prefer the one that comes closer.
- If both are equally right or equally wrong, call it a tie.""",
    "ranking": """Order the four replies from best to worst.

- The right answer comes first.
- Replies that are equally good share a place.""",
}


def start_judging(context: Context) -> Sequence[Job]:
    """One campaign of pairs and one of rankings, both judged by two judges; some tasks are left for people."""
    sizes = sizes_of(context)
    pairwise = _campaign(context, "pairwise", question.pairwise(), sizes.max_pairs_per_prompt, sizes.num_pairs)
    ranking = _campaign(context, "ranking", question.ranking(sizes.num_completions), 1, sizes.num_rankings)
    judges = [judge_of(context, strictness) for strictness in JUDGE_NAMES]
    started: list[Job] = []
    for campaign in (pairwise, ranking):
        if campaign.comparisons.exists():
            annotation.set_status(campaign=campaign, status=Campaign.Status.OPEN)
            started += [annotation.start_judging_run(campaign=campaign, annotator=judge) for judge in judges]
    return started


def _campaign(
    context: Context, kind: str, asked: Question, max_per_prompt: int, max_comparisons: int | None
) -> Campaign:
    """Every comparison wants both judges; the first few want a person too, and are served first."""
    sizes, run = sizes_of(context), context.get(SamplingRun, "candidates")
    campaign = annotation.create_campaign(
        workspace=context.workspace,
        name=context.free_name(Campaign, context.named("Pairs" if kind == "pairwise" else "Rankings")),
        question=asked,
        guidelines=GUIDELINES[kind],
        overlap=len(JUDGE_NAMES),
    )
    seed = context.options.seed
    annotation.add_comparisons(
        campaign=campaign,
        sampling_run=run,
        max_per_prompt=1,
        max_comparisons=sizes.num_labeler_tasks,
        overlap=len(JUDGE_NAMES) + 1,
        priority=1,
        seed=seed,
    )
    annotation.add_comparisons(
        campaign=campaign,
        sampling_run=run,
        max_per_prompt=max_per_prompt,
        max_comparisons=max_comparisons,
        seed=seed,
    )
    for annotator in Annotator.objects.filter(workspace=context.workspace, kind=Annotator.Kind.PERSON):
        annotation.enrol(campaign=campaign, annotator=annotator)
    context.put(kind, campaign)
    return campaign


def judge_of(context: Context, strictness: str) -> Annotator:
    """The workspace's scripted judge of this strictness, made on first use."""
    name = JUDGE_NAMES[strictness]
    known: Annotator | None = Annotator.objects.filter(workspace=context.workspace, name=name).first()
    return known or annotation.create_judge(
        workspace=context.workspace, name=name, protocol="rubric", parameters={"strictness": strictness}
    )


def conclude_judging(context: Context) -> str:
    parts = []
    for kind in ("pairwise", "ranking"):
        campaign = context.get(Campaign, kind)
        num_judged = campaign.slots.exclude(judged_at=None).count()
        rows = "; ".join(str(row) for row in reports.campaign_agreement(campaign))
        parts.append(f"{kind}: {num_judged} judgments of {campaign.comparisons.count()} comparisons ({rows})")
    return ". ".join(parts)


def start_dataset(context: Context) -> Sequence[Job]:
    campaigns = [context.find(Campaign, name) for name in ("pair_campaign", "pairwise", "ranking")]
    dataset = annotation.start_freeze(
        workspace=context.workspace,
        name=context.free_name(Dataset, context.named("Preferences")),
        campaigns=[campaign for campaign in campaigns if campaign is not None],
    )
    context.put("dataset", dataset)
    return [dataset]


def conclude_dataset(context: Context) -> str:
    dataset = context.get(Dataset, "dataset")
    rows = dataset.counts["rows"]
    return (
        f"{dataset.num_rows} pairs ({rows.get('train', 0)} train, {rows.get('held_out', 0)} held out) "
        f"from {dataset.counts['judgments']} judgments, SHA-256 {dataset.sha256[:12]}…"
    )
