"""Sphinx's settings: pages are written in MyST, the API's reference is built from docstrings."""

import re
from typing import Any

project = "Observatory"
author = "The Observatory authors"
copyright = "2026, The Observatory authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Observatory"
pygments_style = "default"  # in a diff, what goes is red and what is new is green

suppress_warnings = ["ref.python"]  # `type[...]` in a signature may also mean the field of a message
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Laws"]


def prepare_docstring(_app: Any, what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Make literals of single backticks, and keep napoleon from reading `type: description` into an attribute."""
    lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line) for line in lines]
    if what == "attribute":
        lines.insert(0, "")


def setup(app: Any) -> None:
    """Connect to Sphinx."""
    app.connect("autodoc-process-docstring", prepare_docstring, priority=100)
