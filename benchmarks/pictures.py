"""Draw the README's pictures from the demo: a sheet of shoes, and transactions as strips of pictures.

make demo && .venv/bin/python benchmarks/pictures.py
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import mtbench
from builders.shoebox.attributes import CATEGORIES, sample_attributes
from builders.shoebox.draw import contact_sheet, draw
from mtbench.core.types import Transaction

ROOT = Path(__file__).parent.parent
OUT = ROOT / "benchmarks" / "results"
WIDTH, HEIGHT, GAP = 208, 156, 150


def sheet(per_category: int = 3) -> Image.Image:
    """Some shoes of every category, chosen by number."""
    shoes = sample_attributes(600, seed=0)
    chosen = [shoe for c in CATEGORIES for shoe in [s for s in shoes if s["category"] == c][::7][:per_category]]
    return contact_sheet([draw(shoe, width=WIDTH, height=HEIGHT, scene=n) for n, shoe in enumerate(chosen)], 6)


def strip(transaction: Transaction, folder: Path) -> Image.Image:
    """References from left to right, the feedback over each arrow, the target framed."""
    images = transaction.images
    canvas = Image.new("RGB", (len(images) * WIDTH + (len(images) - 1) * GAP + 12, HEIGHT + 12), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=15)
    for n, name in enumerate(images):
        left = 6 + n * (WIDTH + GAP)
        canvas.paste(Image.open(folder / name).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), (left, 6))
        if n == len(images) - 1:
            pen.rectangle((left - 3, 3, left + WIDTH + 2, HEIGHT + 8), outline="#1a7f37", width=4)
            break
        start, end, middle = left + WIDTH + 8, left + WIDTH + GAP - 10, 6 + HEIGHT // 2
        text = textwrap.fill(transaction.turns[n].feedback[0], 19)
        pen.multiline_text((start + 2, middle - 8), text, fill="#222222", font=font, anchor="ld", spacing=3)
        pen.line((start, middle, end, middle), fill="#222222", width=2)
        pen.polygon([(end, middle - 5), (end + 8, middle), (end, middle + 5)], fill="#222222")
    return canvas


def stacked(strips: list[Image.Image]) -> Image.Image:
    """Strips under each other."""
    canvas = Image.new("RGB", (max(s.width for s in strips), sum(s.height + 14 for s in strips) - 14), "white")
    top = 0
    for part in strips:
        canvas.paste(part, (0, top))
        top += part.height + 14
    return canvas


def main() -> None:
    benchmark = mtbench.load(ROOT / "demo" / "shoebox")
    folder = benchmark.image_folder
    assert folder is not None
    OUT.mkdir(exist_ok=True)
    sheet().save(OUT / "shoebox.jpg", quality=88)
    three = [t for t in benchmark.transactions("test") if len(t.turns) == 3]
    stacked([strip(t, folder) for t in three[:2]]).save(OUT / "transactions.jpg", quality=88)


if __name__ == "__main__":
    main()
