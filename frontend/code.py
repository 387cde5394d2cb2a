"""Highlighted code: Pygments' classes, no styles. Pure."""

from functools import lru_cache

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name

CLASS_PREFIX = "hl-"
LONGEST = 20_000  # characters; a lexer's regular expressions meet no more of a hostile text
# fmt: off
LANGUAGES = frozenset({
    "bash", "c", "c++", "clojure", "cpp", "cs", "csharp", "css", "dart", "diff", "docker", "dockerfile", "elixir",
    "erlang", "fortran", "go", "golang", "graphql", "haskell", "hs", "html", "ini", "java", "javascript", "js",
    "json", "jsx", "julia", "kotlin", "latex", "lua", "make", "makefile", "matlab", "nginx", "objective-c",
    "perl", "php", "powershell", "ps1", "py", "python", "python3", "r", "rb", "ruby", "rs", "rust", "scala",
    "scheme", "sh", "shell", "sql", "swift", "tex", "toml", "ts", "tsx", "typescript", "xml", "yaml", "yml",
    "zsh",
})
# fmt: on
_FORMATTER = HtmlFormatter(nowrap=True, classprefix=CLASS_PREFIX)


def highlighted(code: str, language: str, _attributes: str = "") -> str:
    """The code as HTML spans, or "" if the language is unknown or the code too long: it is then shown plainly."""
    if language.lower() not in LANGUAGES or len(code) > LONGEST:
        return ""
    html: str = highlight(code, _lexer(language.lower()), _FORMATTER)
    return html


@lru_cache(maxsize=len(LANGUAGES))
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(language, stripnl=False, ensurenl=False)
