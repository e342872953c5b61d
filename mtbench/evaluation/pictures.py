"""How every picture of the project looks, and how it becomes bytes: the same bytes from the same numbers.

>>> from pathlib import Path
>>> with style():  # doctest: +SKIP
...     figure, (axes,) = new_figure(1)
...     axes.plot([2, 3, 4], [0.2, 0.6, 0.8], color=PALETTE[0])
...     write_picture(figure, Path("shares.svg"))

Text is as large as it is on a page of 900 pixels, which is how wide a figure of `WIDTH` inches is at 100 dots per inch.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file
from mtbench.features.needs import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#8C6D31")
"""Okabe and Ito's colours, which people with any colour vision tell apart, but brown for yellow (pale on white)."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""As many shapes as colours: nothing is told by colour alone."""

INK, FAINT = "#222222", "#DDDDDD"
WIDTH = 9.0
"""Inches: 900 pixels at 100 dots per inch."""

DOTS = 200
"""Dots per inch of a PNG: twice the pixels that are shown, for sharp screens."""

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": INK,
    "text.color": INK,
    "axes.edgecolor": "#888888",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "mtbench",  # else the ids in an SVG are random
}


@contextmanager
def style() -> Iterator[None]:
    """The look of everything that is drawn, and saved, inside the block.

    Raises:
        MtbenchError: matplotlib is not installed.
    """
    matplotlib = need("matplotlib", extra="report")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever a user has set for other pictures
        matplotlib.rcParams.update(STYLE)
        yield


def new_figure(columns: int, *, height: float = 3.9, width: float = WIDTH) -> tuple[Figure, list[Axes]]:
    """A figure with plots side by side; no window, no global state."""
    figure: Figure = need("matplotlib.figure", extra="report").Figure((width, height), layout="constrained")
    need("matplotlib.backends.backend_agg", extra="report").FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def picture_bytes(figure: Figure, suffix: str) -> bytes:
    """The figure as PNG or SVG, without date and version of the program."""
    stream = io.BytesIO()
    metadata = {"Software": None} if suffix == ".png" else {"Date": None, "Creator": None}
    figure.savefig(stream, format=suffix[1:], dpi=DOTS, facecolor="white", metadata=metadata)
    return stream.getvalue()


def check_picture(path: Path) -> None:
    """Refuse, before long work, a path that cannot become a picture."""
    if path.suffix.lower() not in SUFFIXES:
        raise MtbenchError(
            f"{path}: a picture is written as {' or '.join(SUFFIXES)}, not as {path.suffix or 'nothing'}"
        )
    if path.is_dir():
        raise MtbenchError(f"{path} is a folder; give a file name")
    need("matplotlib", extra="report")


def write_picture(figure: Figure, path: Path) -> None:
    """Write the figure, whole or not at all; the suffix says as what."""
    check_picture(path)
    content = picture_bytes(figure, path.suffix.lower())
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
