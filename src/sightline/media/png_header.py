"""Sizes of PNGs without decoding them."""

from __future__ import annotations

import struct
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Chunks that may say how the picture is turned, before or after its pixels.
_MAY_TURN = frozenset({b"eXIf", b"iTXt", b"zTXt", b"tEXt"})
_END = b"IEND"


def png_size(path: Path) -> tuple[int, int] | None:
    """Return (width, height) of a whole PNG that nothing may turn; None for any other file.

    ``media.photo_size`` takes any photo, but decodes PNGs: their EXIF may follow the pixels. Here
    only the heads of chunks are looked at.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(8) != _SIGNATURE:
                return None
            size = None
            while len(head := stream.read(8)) == 8:
                length, kind = struct.unpack(">I4s", head)
                if kind in _MAY_TURN:
                    return None
                if kind == _END:
                    return size
                if size is None:
                    if kind != b"IHDR" or length != 13:
                        return None
                    size = struct.unpack(">II", stream.read(8))
                    length -= 8
                stream.seek(length + 4, 1)
    except (OSError, struct.error):
        return None
    return None
