"""Markdown from hostile writers."""

from html.parser import HTMLParser

import pytest

from frontend.markdown import ALLOWED_ATTRIBUTES, ALLOWED_TAGS, SHOWN, render_blocks, render_markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math>",
    "<math><annotation-xml encoding='text/html'><iframe src=//e.org></annotation-xml></math>",
    "[a](javascript:alert(1)) ![b](javascript:alert(1)) <javascript:alert(1)>",
    '[a](https://e.org/" onmouseover="alert(1))',
    "```html\n<script>alert(1)</script>\n```",
    '```python" onmouseover="alert(1)\nx\n```',
    "```javascript\nalert('</code></pre><script>1</script>')\n```",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$\href{javascript:alert(1)}{x}$",
    r"$\style{background:url(//e.org)}{x}$",
    r"$\class{x\" onload=\"alert(1)}{x}$",
    r"$\color{red\" onload=\"alert(1)}{x}$",
    r"\[ \mathop{<style>*{display:none}</style>} \]",
    "$$\n</math><script>alert(1)</script>\n$$",
    "\\begin{array}{<script>}a\\end{array}",
    "| <script> | $</td><script>$ |\n|---|---|\n| `</table><script>` | x |",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62;",
    "\u202egpj.exe\u202c <b\u0000>",
]


class Elements(HTMLParser):
    """Every element of a page with its attributes, and all of its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_emphasis_lists_and_code_are_kept() -> None:
    html = render_markdown("**bold** and *soft*\n\n- one\n- two\n\n```python\nx = 1 < 2\n```")

    assert "<strong>bold</strong>" in html
    assert "<em>soft</em>" in html
    assert html.count("<li") == 2
    assert Elements(html).text.endswith("x = 1 < 2\n\n")


def test_tables_are_kept_and_aligned_without_inline_styles() -> None:
    html = render_markdown("| a | b |\n|---|--:|\n| 1 | 2 |")

    assert '<td align="right" dir="auto">2</td>' in html
    assert "style" not in html


def test_a_single_line_break_is_a_line_break() -> None:
    assert "one<br>" in render_markdown("one\ntwo")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_but_allowed_elements_and_attributes_comes_out(text: str) -> None:
    for tag, attributes in Elements(render_markdown(text)).found:
        assert tag in ALLOWED_TAGS
        assert set(attributes) <= ALLOWED_ATTRIBUTES.get(tag, set())
        assert not any(":" in (value or "") for value in attributes.values())


@pytest.mark.parametrize("text", HOSTILE[:5])
def test_raw_html_is_shown_as_text(text: str) -> None:
    html = render_markdown(text)

    assert [tag for tag, _ in Elements(html).found] == ["p"]
    assert Elements(html).text.strip() == text


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


def test_code_in_a_known_language_is_highlighted_by_classes() -> None:
    html = render_markdown("```python\nreturn 1\n```")

    assert '<span class="hl-k">return</span>' in html
    assert "style" not in html


def test_code_in_an_unknown_language_is_plain() -> None:
    assert render_markdown("```quux\nreturn 1\n```") == '<pre><code class="language-quux">return 1\n</code></pre>\n'


def test_every_block_finds_its_own_direction() -> None:
    html = render_markdown("Hello\n\nשלום\n\n- أهلا")

    assert html.count('<p dir="auto">') == 2
    assert '<ul dir="auto">' in html


def test_characters_that_turn_text_around_are_named() -> None:
    assert "invoice⟨U+202E⟩fdp.exe" in render_markdown("invoice\u202efdp.exe")


def test_windows_line_ends_are_not_control_characters() -> None:
    assert render_markdown("a\r\n\r\nb") == '<p dir="auto">a</p>\n<p dir="auto">b</p>\n'


def test_a_huge_text_is_cut_with_a_marker_and_the_rest_behind_it() -> None:
    html = render_markdown("word " * (SHOWN // 5) + "<end>")

    assert "Cut here: 100,000 of 100,005 characters are shown" in html
    assert html.endswith("&lt;end&gt;</pre></details>")
    assert "Cut here" not in render_markdown("word " * (SHOWN // 5))


def test_blocks_joined_are_the_whole() -> None:
    text = "# a\n\n- b\n- c\n\n> d\n\n    code\n\n[e]\n\n[e]: https://e.org"

    blocks = render_blocks(text)

    assert len(blocks) == 5
    assert "".join(blocks) == render_markdown(text)
    assert "https://e.org" in blocks[-1]


@pytest.mark.parametrize("text", ["*" * 20_000, "[" * 20_000, "> " * 5_000, "- " * 5_000, "`" * 20_001, "$a" * 10_000])
def test_hostile_nesting_is_rendered_as_something(text: str) -> None:
    assert "<" in render_markdown(text)


def test_headings_stand_below_those_of_the_page() -> None:
    html = render_markdown("# One\n\n## Two\n\n###### Six")

    assert [tag for tag, _ in Elements(html).found] == ["h4", "h5", "h6"]
