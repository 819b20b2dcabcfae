"""Hooks of MkDocs: the navigation follows docs/README.md, and links to files outside docs/ become plain text.

The pages are read in the repository too, where such a link leads to the file. The site has no copy of it.
"""

import pathlib
import re
from typing import Any

_DOCS = pathlib.Path(__file__).parent
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)\s]*\)")


def pages() -> list[str]:
    """The pages in the order in which docs/README.md names them, itself first."""
    index = (_DOCS / "README.md").read_text(encoding="utf-8")
    return ["README.md", *dict.fromkeys(re.findall(r"\]\((\w+\.md)\)", index))]


def on_config(config: Any) -> Any:
    """Sets the navigation."""
    config.nav = [{"elmo_tf": "README.md"}, *pages()[1:]]
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replaces the links of a page that lead out of docs/ by their text.

    >>> on_page_markdown("see [`configs/`](../configs) and [training](training.md)")
    'see `configs/` and [training](training.md)'
    """
    return _OUTSIDE.sub(r"\1", markdown)
