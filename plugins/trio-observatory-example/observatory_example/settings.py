"""What can be set under `[plugins.example]`."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class ExampleSettings:
    """`[plugins.example]`."""

    bell: bool = False
    """Whether the delivery channel `bell` is there: nothing is written to disk that nobody asked for."""
