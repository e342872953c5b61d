"""Badges: a small picture of a result, for somebody's README."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

_WIDE, _HIGH = 6.6, 20
_MOST = 48


def badge(left: str, right: str, *, marked: bool = False) -> str:
    """Two texts side by side as SVG; ``marked`` has the colour of a warning."""
    left, right = _short(left), _short(right)
    a, b = (round(_WIDE * len(text) + 14) for text in (left, right))
    color = "#9a6700" if marked else "#0a5c99"
    texts = "".join(
        f'<text x="{at:g}" y="14" textLength="{wide - 14}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
        for text, at, wide in ((left, a / 2, a), (right, a + b / 2, b))
    )
    label = quoteattr(f"{left}: {right}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{a + b}" height="{_HIGH}" role="img" aria-label={label}>'
        f"<title>{escape(f'{left}: {right}')}</title>"
        f'<clipPath id="r"><rect width="{a + b}" height="{_HIGH}" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{a}" height="{_HIGH}" fill="#3d444d"/>'
        f'<rect x="{a}" width="{b}" height="{_HIGH}" fill="{color}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{texts}</g></svg>\n"
    )


def _short(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
