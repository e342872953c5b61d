"""Numbers as people read them."""

from __future__ import annotations


def points(share: float | None, sign: str = "") -> str:
    """A share in per cent with one decimal; a dash where there is none.

    >>> points(0.1234), points(0.05, "+"), points(-0.0001), points(None)
    ('12.3', '+5.0', '0.0', '-')
    """
    return "-" if share is None else f"{round(100 * share, 1) + 0.0:{sign}.1f}"  # + 0.0: no minus before 0.0


def points_range(low: float | None, high: float | None) -> str:
    """From one share to another, in per cent; a dash where there is none."""
    return "-" if low is None or high is None else f"{points(low)} to {points(high)}"
