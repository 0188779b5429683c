"""What every command takes."""

from __future__ import annotations

from typing import Annotated

import attrs
from cyclopts import Parameter

from observatory import Settings, load_settings

DASHED = Parameter(allow_leading_hyphen=True)
"""For names and texts, which may begin with a dash. Ids never do: there it is a misspelled option."""


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Options:
    """Where the inboxes are, and how Observatory is set up."""

    root: Annotated[str | None, Parameter(help="Folder that holds the inboxes; wins over the settings.")] = None
    config: Annotated[str | None, Parameter(help="Settings file; by default `observatory.toml`, if there is one.")] = (
        None
    )

    def settings(self) -> Settings:
        """Read the settings.

        Raises:
            SettingsError: they cannot be read, or something in them is not allowed.
        """
        settings = load_settings(self.config)
        return settings if self.root is None else attrs.evolve(settings, root=self.root)


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ListingOptions(Options):
    """`Options`, for a command that lists."""

    json: Annotated[bool, Parameter(negative="", help="Print JSON instead: one object a line.")] = False
