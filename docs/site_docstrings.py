"""An extension of Griffe, which reads the docstrings for the reference: makes our examples a section that it knows."""

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"(?ms)^Example:\n\n(.*?)(?=^\w+:$|\Z)")


def indent_examples(docstring: str) -> str:
    """Makes the section "Examples" of the part "Example", whose lines begin where those of the docstring do.

    >>> indent_examples("Adds.\\n\\nExample:\\n\\n>>> 1 + 1\\n2\\n")
    'Adds.\\n\\nExamples:\\n    >>> 1 + 1\\n    2\\n'
    """
    return _EXAMPLE.sub(lambda found: "Examples:\n" + re.sub(r"(?m)^(?=.)", "    ", found[1]), docstring)


class ExampleSections(griffe.Extension):
    """Changes the docstrings, so that the lines of an example are shown as code and not read as Markdown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Changes the docstring of an object that was read."""
        if obj.docstring is not None:
            obj.docstring.value = indent_examples(obj.docstring.value)
