"""Python's search for garbage, put off while very much is made of which nothing is garbage."""

from __future__ import annotations

import gc


class NoSearchForGarbage:
    """Lets Python not search for garbage in a block: it makes millions of objects, and all of them stay.

    Each search would look at them all again, which took a third of the time of a start with 300,000 messages, and a
    fifth of that of reading 100,000 tasks. Blocks of several threads may overlap: with the first one that ends the
    search goes on.
    """

    def __enter__(self) -> None:
        self._enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._enabled:
            gc.enable()
