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


def thumbnail(png: bytes, *, width: int = 480, most: int = 80_000) -> bytes | None:
    """Return a PNG that weighs little: as it is where it does, else scaled down to `width` pixels where that helps.

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
    try:
        return min(_scaled(png, width, max(1, round(found[1] * width / found[0]))), png, key=len)
    except (OSError, ValueError, SyntaxError, MemoryError):  # what is broken further on
        return None


def _scaled(png: bytes, width: int, height: int) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    held = imread(io.BytesIO(png), format="png")
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.imshow(held, aspect="auto", interpolation="bilinear", resample=True, cmap="gray", vmin=0, vmax=1)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=100, metadata={"Software": None})
    return out.getvalue()
