"""What has changed in the directories of a folder, as the system tells it."""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol


class Changes:
    """What has changed since somebody last looked.

    Attributes:
        appeared: directories that came; what was in them from the beginning is not told of.
        vanished: directories that went, even if one of the same name came afterwards.
        written: files that came or were written to, by directory.
        removed: files that went, by directory.
    """

    def __init__(self) -> None:
        self.appeared: set[str] = set()
        self.vanished: set[str] = set()
        self.written: defaultdict[str, set[str]] = defaultdict(set)
        self.removed: defaultdict[str, set[str]] = defaultdict(set)

    def __bool__(self) -> bool:
        return bool(self.appeared or self.vanished or self.written or self.removed)

    def __len__(self) -> int:
        files = [*self.written.values(), *self.removed.values()]
        return len(self.appeared) + len(self.vanished) + sum(map(len, files))

    def merge(self, later: Changes) -> None:
        """Add what was found later."""
        self.appeared |= later.appeared
        self.vanished |= later.vanished
        for mine, other in ((self.written, later.written), (self.removed, later.removed)):
            for directory, names in other.items():
                mine[directory] |= names


class Listener(Protocol):
    """Hears of changes in the directories of one folder, or, where that is missing, of its coming.

    It is made in a worker thread, since making it looks at every directory, and raises `OSError` when nothing can be
    heard: `FileNotFoundError` when there is no folder either in which the folder could come.
    """

    @property
    def shortfall(self) -> OSError | None:
        """Why some of the directories are not heard of."""

    async def wait(self) -> Changes | None:
        """Wait for news, and then a moment for more.

        Returns:
            What has changed; None when there is nothing more to hear: the folder went, or came, or the system had to
            forget some of its news.

        Raises:
            OSError: nothing can be heard any more.
        """

    def close(self) -> None:
        """Give everything back; in a worker thread."""
