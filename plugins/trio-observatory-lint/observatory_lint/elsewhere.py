"""What names stand for that come from other files, as far as somebody knows."""

from __future__ import annotations

from observatory_lint.computing import UNKNOWN, Texts

OWN = "/"
"""Begins the origin of what is imported from the project by an absolute name: libraries may have that, too."""


class Elsewhere:
    """Tells nothing: what one file is seen with on its own. An origin is text as in `observatory_lint.origins`."""

    def own(self, origin: str) -> str:
        """Return the origin of what is imported under a name: marked where it is the project's own."""
        return origin

    def names(self, origin: str) -> frozenset[str]:
        """Return the origins outside the project, and of constants, that an origin in it stands for."""
        return frozenset()

    def texts(self, origin: str) -> Texts:
        """Return the texts that it may be."""
        return UNKNOWN

    def elements(self, origin: str) -> list[list[Texts]]:
        """Return the lists of texts that it may be."""
        return []
