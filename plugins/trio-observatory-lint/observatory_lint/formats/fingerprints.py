"""What a line is known by on GitHub while the file around it changes."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from struct import unpack

_WINDOW, _BASE, _MODULUS = 100, 37, 1 << 64


def fingerprints(data: bytes) -> list[str]:
    """Return GitHub's `primaryLocationLineHash` of each line of a file.

    That is a hash of the 100 letters from the line's start on, without blanks, and which of the lines with this hash it
    is. What uploads SARIF to GitHub computes the same, and warns of any other.
    """
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    text = text.translate({ord(" "): None, ord("\t"): None}) + "\uffff" + "\0" * _WINDOW
    encoded = text.encode("utf-16-le")  # the letters of JavaScript
    letters = unpack(f"<{len(encoded) // 2}H", encoded)
    sums = list(accumulate(letters, lambda total, letter: (total * _BASE + letter) % _MODULUS, initial=0))
    leaving = pow(_BASE, _WINDOW, _MODULUS)
    seen: Counter[int] = Counter()
    found = []
    for start in [0, *(index + 1 for index, letter in enumerate(letters) if letter == ord("\n"))]:
        value = (sums[start + _WINDOW] - sums[start] * leaving) % _MODULUS
        seen[value] += 1
        found.append(f"{value:x}:{seen[value]}")
    return found
