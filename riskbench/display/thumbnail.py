"""How small does a picture get that stands among many others?"""

from __future__ import annotations

import io
import struct

_PNG = b"\x89PNG\r\n\x1a\n"
#: Wider or taller pictures are not opened: a small file can unfold to gigabytes.
_WIDEST = 6_000


def size(png: bytes) -> tuple[int, int] | None:
    """Return a PNG's width and height; None when it is none, or too large to be opened.

    >>> size(b"no picture") is None
    True
    """
    if not png.startswith(_PNG) or len(png) < 24 or png[12:16] != b"IHDR":
        return None
    wide, high = struct.unpack(">II", png[16:24])
    return (wide, high) if 0 < wide <= _WIDEST and 0 < high <= _WIDEST else None


def thumbnail(png: bytes, *, width: int = 640, most: int = 60_000) -> bytes | None:
    """Return a PNG that weighs little: as it is where it does, else scaled down to `width` pixels.

    Parameters
    ----------
    png : bytes
        The picture.
    width : int
        Its new width in pixels; a narrower one keeps its own.
    most : int
        The weight in bytes up to which a picture is left as it is.

    Returns
    -------
    bytes or None
        None when it is no picture.
    """
    found = size(png)
    if found is None:
        return None
    if len(png) <= most or found[0] <= width:
        return png
    from matplotlib.image import thumbnail as scaled

    out = io.BytesIO()
    try:
        scaled(io.BytesIO(png), out, scale=width / found[0])
    except (OSError, ValueError, SyntaxError, MemoryError):  # what is broken further on
        return None
    return out.getvalue()
