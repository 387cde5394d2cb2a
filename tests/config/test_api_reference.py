"""The reference page names every address, and no other."""

import re
from pathlib import Path

from drf_spectacular.generators import SchemaGenerator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api.md"


def test_the_table_names_every_address_of_the_document() -> None:
    listed = re.findall(r"^\| `([A-Z]+ /\S+)` \|", PAGE.read_text(), flags=re.MULTILINE)

    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    served = {
        f"{method.upper()} {path.removeprefix('/api/v1')}" for path, methods in paths.items() for method in methods
    }
    assert set(listed) == served
    assert len(listed) == len(served)
