"""What README, CONTRIBUTING and docs/ name exists, and what they list is complete."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import pytest
from django.apps import apps
from django.core.management import get_commands

from annotation.dataset_filter import DatasetFilter
from annotation.export import DEMONSTRATION_SCHEMA, PREFERENCE_SCHEMA
from annotation.training_exports import LABEL_SCHEMA, RANKING_SCHEMA
from core.errors import ConcordError
from generation.engines.errors import EngineError
from pipeline import command_line
from tests.test_packaging import variables_read
from training.algorithms.config import CONFIGS, CommonConfig, FreshModelConfig
from training.algorithms.failures import FailureKind
from training.algorithms.spec import Spec

E = TypeVar("E", bound=Exception)
ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
OUR_APPS = ("core", "accounts", "generation", "annotation", "training", "evaluation", "pipeline")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FILE_NAME = re.compile(r"`([a-z_.]+(?:/[A-Za-z_.-]+)+/?)`")
TOP_LEVEL = {path.name for path in ROOT.iterdir()} - {"var"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def rows_of(name: str) -> set[str]:
    """The first column of every table of a page."""
    return set(re.findall(r"^\| `([^`]+)`", text_of(name), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(linked), f"{target}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    for name in FILE_NAME.findall(prose(page)):
        if name.split("/")[0] in TOP_LEVEL and "…" not in name:
            assert (ROOT / name).exists(), f"{name} does not exist"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = re.findall(r"(?:`|\$ )make ([a-z-]+(?: [a-z-]+)*)", page.read_text(encoding="utf-8"))
    assert {word for words in named for word in words.split()} <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_management_command_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", page.read_text(encoding="utf-8")))
    assert named <= {*get_commands(), "help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_json_example_is_json(page: Path) -> None:
    for block in re.findall(r"^```json\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        documents = [block] if block.startswith("{\n") else block.splitlines()
        assert all(isinstance(json.loads(document), dict) for document in documents)


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = {(ROOT / "docs" / target).resolve() for target in LINK.findall(text_of("docs/README.md"))}
    records = {
        (ROOT / "docs/decisions" / target).resolve() for target in LINK.findall(text_of("docs/decisions/README.md"))
    }
    pages = {page for page in PAGES if "docs" in page.relative_to(ROOT).parts} - {ROOT / "docs" / "README.md"}
    assert pages == contents | records


def test_the_makes_of_the_readme_pass_variables_that_the_makefile_knows() -> None:
    named = set(re.findall(r"\b([A-Z_]{4,})=", text_of("README.md")))
    assert named == {"DATA", "MODEL", "VLLM_URL", "SEED", "PORT"}
    assert all(f"$({name})" in text_of("Makefile") for name in named)


def test_every_environment_variable_is_explained() -> None:
    assert variables_read() <= rows_of("docs/reference/configuration.md")


def test_every_option_of_a_pipeline_is_explained() -> None:
    from argparse import ArgumentParser

    parser = ArgumentParser()
    command_line.add_arguments(parser)
    options = {option for action in parser._actions for option in action.option_strings} - {"-h", "--help"}
    assert options <= rows_of("docs/reference/commands.md")


@pytest.mark.parametrize("app", OUR_APPS)
def test_every_table_is_explained(app: str) -> None:
    models = {model.__name__ for model in apps.get_app_config(app).get_models()}
    assert models <= rows_of("docs/reference/data-model.md")


def test_every_column_of_a_dataset_is_explained() -> None:
    fields = {field.name for field in dataclasses.fields(DatasetFilter)}
    schemas = (PREFERENCE_SCHEMA, RANKING_SCHEMA, LABEL_SCHEMA, DEMONSTRATION_SCHEMA)
    wanted = {*fields, *(name for schema in schemas for name in schema.names)}
    assert rows_of("docs/reference/dataset-format.md") == wanted


def test_the_run_directory_page_knows_the_order_and_every_kind_of_failure() -> None:
    fields = {field.name for field in dataclasses.fields(Spec)} | {"version"}
    assert rows_of("docs/reference/run-directory.md") >= {*fields, *get_args(FailureKind)}


def test_every_setting_of_an_algorithm_is_explained_with_its_default() -> None:
    text = text_of("docs/reference/training-configuration.md")
    for config in (CommonConfig, FreshModelConfig, *CONFIGS.values()):
        for name in config.__annotations__:
            shown = [default_in(line) for line in lines_of(text, name)]
            assert shown_default(config, name) in shown, f"{name}: scripts/document-settings writes the page anew"


def lines_of(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"| `{name}` ")]


def default_in(line: str) -> object:
    """The second column as a value."""
    word = line.split(" | ")[1]
    try:
        return json.loads(word)
    except ValueError:
        return word


def shown_default(config: Any, name: str) -> object:
    default = next(field.default for field in dataclasses.fields(config) if field.name == name)
    return "its defaults" if default is dataclasses.MISSING else default


def test_every_named_error_is_explained() -> None:
    for package in (*OUR_APPS, "core", "frontend"):
        for module in modules_of(package):
            importlib.import_module(module)
    text = text_of("docs/reference/errors.md")
    kinds = {kind_of(error) for error in subclasses(ConcordError)}
    names = {error.__name__ for error in subclasses(EngineError)}
    assert {word for word in kinds | names if f"`{word}`" not in text} == set()


def kind_of(error: type[ConcordError]) -> str:
    return error.__new__(error).kind


def modules_of(package: str) -> Iterator[str]:
    """Every module but migrations, and the training process, which takes its signals when it starts."""
    folder = str(ROOT / package)
    for module in pkgutil.walk_packages([folder], f"{package}."):
        if ".migrations" not in module.name:
            yield module.name


def subclasses(base: type[E]) -> Iterator[type[E]]:
    """Those that Concord itself defines, not those of tests."""
    for child in base.__subclasses__():
        if not child.__module__.startswith("tests."):
            yield child
        yield from subclasses(child)
