from __future__ import annotations

from generation.models import LanguageModel, PromptSet
from pipeline.context import Context
from pipeline.options import PipelineOptions
from tests.factory import Factory


def context(factory: Factory, **known: int) -> Context:
    return Context(run=factory.pipeline("starter 1"), options=PipelineOptions(), known=known)


def test_a_row_is_handed_on_by_name(factory: Factory) -> None:
    earlier, own = factory.prompt_set(), factory.prompt_set()
    step = context(factory, earlier=earlier.pk)
    step.put("own", own)
    assert step.get(PromptSet, "earlier") == earlier
    assert step.get(PromptSet, "own") == own
    assert step.find(PromptSet, "never") is None
    assert step.made == {"own": own.pk}


def test_a_name_that_is_taken_gets_a_number(factory: Factory) -> None:
    step = context(factory)
    assert step.free_name(LanguageModel, "SFT") == "SFT"
    factory.model("SFT")
    assert step.free_name(LanguageModel, "SFT") == "SFT (2)"
    factory.model("SFT (2)")
    factory.model("SFT other")
    assert step.free_name(LanguageModel, "SFT") == "SFT (3)"


def test_names_of_other_workspaces_are_free(factory: Factory) -> None:
    factory.model("SFT", workspace=factory.workspace("Elsewhere"))
    assert context(factory).free_name(LanguageModel, "SFT") == "SFT"
