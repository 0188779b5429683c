"""Frames are counted alike, however the bytes are cut."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, strategies as st
from observatory_websocket.server import fragments

_SIZES = st.sampled_from([0, 1, 31, 32, 125, 126, 127, 300, 65_535, 65_536])


def _frame(first: int, size: int, *, masked: bool) -> bytes:
    bit = 0x80 if masked else 0
    if size < 126:
        length = bytes([bit | size])
    elif size < 65_536:
        length = struct.pack("!BH", bit | 126, size)
    else:
        length = struct.pack("!BQ", bit | 127, size)
    return bytes([first]) + length + bytes(4 * masked) + bytes(size)


@given(
    st.lists(st.tuples(st.sampled_from([0x01, 0x02, 0x00, 0x80, 0x81, 0x89, 0x8A]), _SIZES, st.booleans())),
    st.lists(st.integers(0, 400_000)),
)
def test_cut_anywhere(frames: list[tuple[int, int, bool]], cuts: list[int]) -> None:
    """There are too many of them with the frame that is one too many, and with no byte before its head."""
    counter = fragments.Fragments()
    counted = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fragments, "MOST", 2)
        expected, data = None, b""
        for first, size, masked in frames:
            frame = _frame(first, size, masked=masked)
            if not first & 0x08:
                counted += size < 32
                if counted > 2 and expected is None:
                    expected = len(data) + {126: 4, 127: 10}.get(frame[1] & 0x7F, 2)
                counted = 0 if first & 0x80 else counted
            data += frame
        at, found = 0, None
        for cut in [*sorted(cut for cut in cuts if cut < len(data)), len(data)]:
            if counter.too_many(data[at:cut]):
                found = (at, cut)
                break
            at = cut
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found[0] < expected <= found[1]
