"""Sphinx's settings: pages are written in MyST, the API's reference is built from docstrings."""

project = "Observatory"
author = "The Observatory authors"
copyright = "2026, The Observatory authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Observatory"

default_role = "code"  # single backticks in docstrings
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Laws"]
