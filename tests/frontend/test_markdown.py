"""Markdown from hostile writers."""

import pytest

from frontend.markdown import render_markdown


def test_emphasis_lists_and_code_are_kept() -> None:
    html = render_markdown("**bold** and *soft*\n\n- one\n- two\n\n```python\nx = 1 < 2\n```")

    assert "<strong>bold</strong>" in html
    assert "<em>soft</em>" in html
    assert html.count("<li>") == 2
    assert '<code class="language-python">x = 1 &lt; 2' in html


def test_tables_are_kept_and_aligned_without_inline_styles() -> None:
    html = render_markdown("| a | b |\n|---|--:|\n| 1 | 2 |")

    assert '<td align="right">2</td>' in html
    assert "style" not in html


def test_a_single_line_break_is_a_line_break() -> None:
    assert "one<br>" in render_markdown("one\ntwo")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="https://e.org" onclick="x()">a</a>',
        "<iframe src=//e.org></iframe>",
        "<style>body{display:none}</style>",
        "<svg/onload=alert(1)>",
    ],
)
def test_raw_html_is_shown_as_text(text: str) -> None:
    html = render_markdown(text)

    assert "&lt;" in html
    assert "<" not in html.replace("<p>", "").replace("</p>", "")


@pytest.mark.parametrize("url", ["https://e.org/a?b=1&c=2", "javascript:alert(1)", "data:text/html,x", "//e.org"])
def test_links_lead_nowhere(url: str) -> None:
    html = render_markdown(f"[here]({url}) and <https://e.org>")

    assert "href" not in html
    assert "<a" not in html


def test_a_link_shows_where_it_would_lead() -> None:
    html = render_markdown("[the *docs*](https://e.org/?a=1&b=2)")

    assert '<span class="inert-link">the <em>docs</em></span>' in html
    assert '<span class="inert-address">https://e.org/?a=1&amp;b=2</span>' in html


def test_images_are_named_and_never_fetched() -> None:
    html = render_markdown('![a <b> cat](https://e.org/cat.png "title")')

    assert "<img" not in html
    assert "src=" not in html
    assert "image: a &lt;b&gt; cat" in html
    assert "https://e.org/cat.png" in html


def test_a_class_from_a_code_fence_cannot_break_out_of_its_attribute() -> None:
    html = render_markdown('```x" onmouseover="alert(1)\ncode\n```')

    assert html == '<pre><code class="language-x&quot;">code\n</code></pre>\n'


def test_nothing_renders_as_nothing() -> None:
    assert render_markdown("") == ""
