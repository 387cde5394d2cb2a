from __future__ import annotations

from annotation.quality import PUBLISHED


def test_every_published_figure_names_what_and_where() -> None:
    for figure in PUBLISHED:
        assert 0 < figure.low <= figure.middle <= figure.high < 1
        assert figure.what
        assert any(year in figure.source for year in ("2020", "2022", "2023", "2024"))
    assert len({figure.name for figure in PUBLISHED}) == len(PUBLISHED)


def test_ties_lower_the_agreement_of_the_same_experts() -> None:
    by_name = {figure.name: figure for figure in PUBLISHED}
    assert by_name["MT-Bench, ties"].has_ties
    assert by_name["MT-Bench, ties"].high < by_name["MT-Bench, no ties"].low
