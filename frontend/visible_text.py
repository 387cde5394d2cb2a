"""Raw text as HTML in which nothing hides: control characters are marked, and every character stays countable.

The text content of the HTML is exactly the text that came in: an offset counted in the browser is an offset here.
"""

import re
import unicodedata
from html import escape

# Invisible or direction-changing characters. Line ends, tabs, and the joiners and marks that emoji and right-to-left
# scripts need are not among them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u180e\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """The text as HTML, with every control character in a span of its own that ends its effect and names it.

    A carriage return is written as a reference, because HTML parsers would drop it.
    """
    return _HIDDEN.sub(_marked, escape(text)).replace("\r", "&#13;")


def name_controls(text: str) -> str:
    """The text with every control character replaced by its code in brackets: "abc⟨U+202E⟩def"."""
    return _HIDDEN.sub(lambda found: f"⟨{_code(found.group())}⟩", text)


def _marked(found: re.Match[str]) -> str:
    character = found.group()
    name = unicodedata.name(character, "control character").lower()
    return f'<span class="control" title="{name}" data-code="{_code(character)}">{character}</span>'


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"
