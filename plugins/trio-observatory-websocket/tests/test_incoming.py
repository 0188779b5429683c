"""What comes in is looked at alike, however the bytes are cut."""

from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import given, strategies as st
from observatory_websocket.server.incoming import MOST, SMALL, Incoming

_FRAMES = st.tuples(
    st.sampled_from([0x01, 0x02, 0x00, 0x80, 0x81, 0x89, 0x8A]),
    st.sampled_from([0, 1, 31, 32, 125, 126, 127, 300, 65_535, 65_536]),
    st.booleans(),
)


def _frame(first: int, size: int, masked: bool) -> bytes:
    bit = 0x80 if masked else 0
    if size < 126:
        length = bytes([bit | size])
    elif size < 65_536:
        length = struct.pack("!BH", bit | 126, size)
    else:
        length = struct.pack("!BQ", bit | 127, size)
    return bytes([first]) + length + bytes(4 * masked) + bytes(size)


def _handed_on(incoming: Incoming, pieces: list[bytes]) -> tuple[bytes, str | None]:
    """Return what is handed on of what comes in, and what is wrong with what follows."""
    handed_on = b""
    for piece in pieces:
        data = piece
        while data:
            size, fault = incoming.look(data)
            handed_on += data[:size]
            data = data[size:]
            if fault is not None:
                assert incoming.look(data) == (0, fault)
                return handed_on, fault
    return handed_on, None


@given(st.lists(_FRAMES), st.lists(st.integers(0, 400_000)))
def test_cut_anywhere(frames: list[tuple[int, int, bool]], cuts: list[int]) -> None:
    """All is handed on up to the first frame with which a message is too large, and of that nothing but a cut head."""
    data, good, size = b"", None, 0
    for frame in frames:
        if not frame[0] & 0x08:
            size += frame[1]
            if size > 66_000 and good is None:
                good = len(data)
            size = 0 if frame[0] & 0x80 else size
        data += _frame(*frame)
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    handed_on, fault = _handed_on(Incoming(66_000), pieces)
    assert data.startswith(handed_on)
    if good is None:
        assert (len(handed_on), fault) == (len(data), None)
    else:
        assert good <= len(handed_on) < good + 10
        assert fault == "a message has at most 66000 bytes"


@given(st.lists(st.integers(0, 20_000)))
def test_small_frames(cuts: list[int]) -> None:
    """A message may have so many small ones, and as many larger ones as it has bytes."""
    small, large = _frame(0x00, SMALL - 1, True), _frame(0x00, SMALL, True)
    data = (large + small) * MOST
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    incoming = Incoming(1_000_000)
    assert _handed_on(incoming, pieces) == (data, None)
    assert _handed_on(incoming, [large]) == (large, None)
    assert _handed_on(incoming, [small]) == (b"", f"a message has at most 1,024 frames of less than {SMALL} bytes")


def test_some_at_a_time() -> None:
    """Of many small frames some are handed on at a time, and larger ones and whole messages all at once."""
    piece = _frame(0x00, 0, True)
    assert Incoming(1_000).look(piece * 1_000) == (64 * len(piece), None)
    whole = _frame(0x81, 20, True) * 1_000
    assert Incoming(1_000).look(whole) == (len(whole), None)
    assert Incoming(1_000).look(piece * 64) == (64 * len(piece), None)


def test_a_length_that_is_none() -> None:
    """What says a length that no frame can have is for whoever reads it next to refuse."""
    data = b"\x81\xff" + b"\xff" * 8 + bytes(4)
    assert Incoming(1_000).look(data) == (len(data), None)
