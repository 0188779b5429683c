"""YAML's parser in Python, for a PyYAML without libyaml: the same events, and the same is refused."""

from __future__ import annotations

from typing import Any

import yaml


class Parser(yaml.SafeLoader):
    """Goes through the events of a text."""

    def get_event(self) -> Any:
        """Return the next event.

        Raises:
            yaml.MarkedYAMLError: the YAML is broken.
        """
        event: Any = super().get_event()  # type: ignore[no-untyped-call]
        text = getattr(event, "value", "")
        if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
            raise yaml.MarkedYAMLError(problem="found half of a character", problem_mark=event.start_mark)
        return event
