"""Formulas, and dollars that are none."""

import pytest

from frontend.markdown import render_markdown
from frontend.mathematics import LONGEST, formula


@pytest.mark.parametrize(
    "text",
    [
        "$x^2$",
        "$2x+3=5$",
        "the $k$th and the $n$-th",
        r"$\frac{a}{b} \text{ if the rate is low}$",
        r"\(a_i\)",
        r"so \[ a = b \] holds",
        "$$a = b$$",
        "$$\na = b\n- c\n$$",
        "\\[\na\n= b\n\\]",
        "\\begin{align}\na &= b\n\\end{align}",
        "- $a$",
        "| $a$ |\n|---|",
        "text\n$$a$$",
    ],
)
def test_formulas_become_mathml(text: str) -> None:
    html = render_markdown(text)

    assert "<math" in html
    assert "$" not in html
    assert 'class="tex"' not in html


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.",
        "between $5-$10 or $5/$10",
        "costs $5, then 10$ more",
        "US$5 and CA$7",
        "He paid $5 for it and I paid 6$.",
        "set $HOME and $PATH",
        "$HOME/bin:$PATH",
        "`$x` and `$y`",
        r"\$5 and 6\$",
        "$ x $",
        "$$",
        "$$$$",
        "$5\nand 6$",
        "```\n$x$\n```",
        "    $$x$$",
        r"\\(x\\)",
    ],
)
def test_prices_variables_and_code_stay_what_they_are(text: str) -> None:
    assert "<math" not in render_markdown(text)


def test_a_displayed_formula_is_a_block() -> None:
    assert '<math display="block">' in render_markdown("$$x$$")
    assert '<math display="inline">' in render_markdown("$x$")


def test_a_formula_that_is_not_understood_is_shown_as_its_source() -> None:
    assert formula("a^", is_block=False) == '<code class="tex">a^</code>'
    assert formula(r"\left( <b>", is_block=False) == r'<code class="tex">\left( &lt;b&gt;</code>'


@pytest.mark.parametrize("tex", ["x" * (LONGEST + 1), "{" * 1000, r"\left(" * 300, r"\frac" * 300])
def test_formulas_that_are_too_long_or_deep_are_not_tried(tex: str) -> None:
    assert formula(tex, is_block=True).startswith('<code class="tex">')


def test_links_styles_and_colours_are_dropped_from_formulas() -> None:
    html = formula(r"\href{javascript:alert(1)}{x} \style{color:red}{y} \color{red}z", is_block=False)

    assert "=" not in html.removeprefix('<math display="inline">')
    assert "<mi>x</mi>" in html
    assert "<mi>z</mi>" in html


def test_text_in_formulas_is_escaped() -> None:
    html = formula(r"\text{<b>}", is_block=False)

    assert "<mtext>&lt;b&gt;</mtext>" in html


def test_an_environment_inside_a_paragraph_that_never_ends_is_text() -> None:
    assert "<math" not in render_markdown("\\begin{align}\na\n\nb\n\\end{align}")
