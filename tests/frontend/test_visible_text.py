"""Raw text in which nothing hides."""

from html import unescape

import pytest
from django.utils.html import strip_tags

from frontend.visible_text import name_controls, visible


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x7f", "\u200b", "\u202e", "\u2066", "\ufeff", "\U000e0041"])
def test_control_characters_are_marked_and_named(character: str) -> None:
    assert f'data-code="U+{ord(character):04X}">{character}</span>' in visible(f"a{character}b")
    assert name_controls(f"a{character}b") == f"a⟨U+{ord(character):04X}⟩b"


@pytest.mark.parametrize("text", ["line\nline", "tab\tstop", "👩\u200d💻", "می\u200cخواهم", "שלום\u200f!", "a\r\nb"])
def test_what_scripts_and_emoji_need_is_left_alone(text: str) -> None:
    assert "span" not in visible(text)
    assert name_controls(text) == text


def test_the_text_content_is_the_text() -> None:
    text = "<b>&amp; \u202e\x07 'x'\r\n\"é👍"

    assert unescape(strip_tags(visible(text))) == text


def test_markup_is_escaped() -> None:
    assert visible("<script>") == "&lt;script&gt;"


def test_a_carriage_return_survives_an_html_parser() -> None:
    assert visible("a\r\nb") == "a&#13;\nb"
