"""Steps that find out who speaks, and sample candidate completions."""

import dataclasses
from collections.abc import Sequence
from dataclasses import replace

from core.models import Job
from generation import endpoints
from generation import services as generation
from generation.models import LanguageModel, PromptSet, SamplingRun
from generation.services import ArmSpec
from pipeline.context import Context
from pipeline.options import OptionsInvalid, PipelineOptions
from training.algorithms.presets import StarterSizes


def sizes_of(context: Context) -> StarterSizes:
    """The preset's sizes with the run's own in their place."""
    return replace(StarterSizes(), **context.options.sizes)


def check_sizes(options: PipelineOptions) -> None:
    """Raises `OptionsInvalid` for a size that no preset has."""
    names = {item.name for item in dataclasses.fields(StarterSizes)}
    if unknown := sorted(set(options.sizes) - names):
        raise OptionsInvalid(f"Unknown size {unknown[0]!r}; known are {', '.join(sorted(names))}.")


def start_served(context: Context) -> Sequence[Job]:
    """Register what the server serves, and the weights behind it, which training starts from."""
    served = endpoints.models_at(context.options.vllm_url)
    if not served:
        raise OptionsInvalid(f"{context.options.vllm_url} answers, but serves no model.")
    weights = context.options.model or served[0].root or served[0].id
    source = LanguageModel.Source.FOLDER if weights.startswith((".", "/", "~")) else LanguageModel.Source.HUB
    base = generation.register_model(
        workspace=context.workspace,
        name=context.free_name(LanguageModel, context.named("Base")),
        source=source,
        location=weights,
    )
    speaker = generation.register_model(
        workspace=context.workspace,
        name=context.free_name(LanguageModel, context.named("Served")),
        source=LanguageModel.Source.SERVED,
        location=served[0].id,
        endpoint_url=context.options.vllm_url,
        parent=base,
    )
    context.put("sft_model", base)
    context.put("served_model", speaker)
    return []


def conclude_served(context: Context) -> str:
    model = context.get(LanguageModel, "served_model")
    return (
        f"{model.location} at {model.endpoint_url}; its weights are {context.get(LanguageModel, 'sft_model').location}"
    )


def start_candidates(context: Context) -> Sequence[Job]:
    sizes = sizes_of(context)
    model = context.find(LanguageModel, "served_model") or context.get(LanguageModel, "sft_model")
    run = generation.start_sampling_run(
        workspace=context.workspace,
        name=context.named("Candidates"),
        prompt_set=context.get(PromptSet, "prompt_set"),
        arms=[
            ArmSpec(
                model=model,
                num_completions=sizes.num_completions,
                temperature=sizes.temperature,
                max_new_tokens=sizes.max_new_tokens,
            )
        ],
        split=SamplingRun.Split.ALL,  # held-out rows of the dataset are only ever evaluated on
        max_prompts=sizes.num_candidate_prompts,
        seed=context.options.seed,
    )
    context.put("candidates", run)
    return [run]


def conclude_candidates(context: Context) -> str:
    run = context.get(SamplingRun, "candidates")
    num_marked = run.completions.exclude(duplicate_of=None).count()
    num_failed = run.failures.count()
    failed = f"; {num_failed} prompts failed" if num_failed else ""
    return f"{run.completions.count()} completions, {num_marked} marked as near-duplicates{failed}"
