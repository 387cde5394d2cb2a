"""Highlighted code."""

import pytest
from django.utils.html import strip_tags
from pygments.lexers import get_lexer_by_name

from frontend.code import LANGUAGES, LONGEST, highlighted


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_listed_language_has_a_lexer(language: str) -> None:
    assert get_lexer_by_name(language) is not None


def test_code_is_escaped_and_complete() -> None:
    html = highlighted("\n  if a < b:\n    x = '</span>'\n\n", "python")

    assert strip_tags(html).replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'") == (
        "\n  if a < b:\n    x = '</span>'\n\n"
    )
    assert "</span>'" not in html.replace("&lt;/span&gt;", "")


def test_names_are_read_without_case() -> None:
    assert highlighted("return 1", "Python") == highlighted("return 1", "python") != ""


@pytest.mark.parametrize("language", ["", "quux", "pycon;", "__class__"])
def test_unknown_languages_are_left_to_the_caller(language: str) -> None:
    assert highlighted("x", language) == ""


def test_long_code_is_not_highlighted() -> None:
    assert highlighted("x" * (LONGEST + 1), "python") == ""
