"""The plain-module rule, enforced: ephemeral modules reach no database, write no files, and are registered."""

# The house, from the ground up. Imports run up this list only.
#   values.py        findings and places
#   libraries.py     what means persistence
#   names.py, paths.py               expressions and paths as text
#   facts.py         what is known of one file: plain values that the cache holds
#   catalogue.py     every code
#   settings.py      [tool.observatory.lint]
#   parsing.py, comments.py          from bytes to a tree, and to comments
#   classes.py, extracting.py        from a tree to facts, without looking at expressions
#   annotations.py, functions.py     looking into both
#   computing.py     what becomes of constant text
#   scopes.py, origins.py, texts.py  what expressions come from, and what text they are
#   source.py        one file as rules look at it
#   dynamic.py, registrations.py     imports by calls; what hooks register and applications hold
#   model_names.py   what persistent models derive from
#   rules/           one small class each: those that one file is enough for
#   reading.py, looking.py           from bytes to facts; a close look at one file
#   cache.py         both, by content
#   files.py, project.py             from paths to modules; where their names come from
#   graph.py, hierarchy.py           what modules reach; which classes are ephemeral modules
#   project_rules/   one small class each: those that need the project
#   checking.py      one project
#   suppressing.py   what comments suppress
#   engine.py        from paths to findings
#   formats/         what findings look like: text, GitHub's annotations, SARIF, JSON
#   mending.py       takes away comments that suppress nothing
#   flake8.py, command.py            the doors

from observatory_lint.catalogue import CATALOGUE as CATALOGUE, Code as Code
from observatory_lint.engine import check as check
from observatory_lint.settings import Settings as Settings, SettingsError as SettingsError
from observatory_lint.values import Finding as Finding, Step as Step
