"""Shoebox: shoes that the project draws itself, with true attributes, feedback and captions.

Raw layout: that of Shoes, with the images and some files for studies beside. Drawn on first use where ``--raw``
does not exist; the same options give the same bytes::

    relative_captions_shoes.json    as published for Shoes
    train_im_names.txt
    eval_im_names.txt
    images/                         the pictures
    image_captions.json             {image: a caption that names some of its attributes}
    attributes.json                 {image: {attribute: value}}, the truth
    feedback_attributes.json        what each relative caption asks for
    shoebox.json                    seed and options

With ``--history-share`` the dial: dialogues in which that share of the wishes is said before the last turn only, in
files of their own (dialogues.json). See builders/shoebox/blocks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from builders.shoes import read_shoes
from mtbench.core.errors import MtbenchError
from mtbench.data.raw import Option, Published, RawDataset
from mtbench.data.sources import Source

if TYPE_CHECKING:
    from builders.shoebox.dial import DialOptions
    from builders.shoebox.generate import ShoeboxOptions

LARGEST = 100_000
OF_THE_DIAL = ("dialogues", "kinds", "shortest", "longest", "no_pictures")


class Shoebox:
    """Shoebox: drawn shoes with known attributes, any number of them."""

    summary = "drawn shoes with known attributes, made on the spot: any number, from a seed"
    licence = "Apache-2.0"
    sources: tuple[Source, ...] = ()
    chains = "one-per-target"
    split = "official"
    gallery = "split-list"
    official: ClassVar[Mapping[str, str]] = {"train": "train", "eval": "test"}
    published: tuple[Published, ...] = ()
    options = (
        Option("size", "number of images, up to 100,000 [default: 1,200; of a dial 8,192 at most]", int),
        Option("seed", "seed of the drawing", int, default=0),
        Option("width", "width of a picture in pixels; it is three quarters as high", int, default=192),
        Option("history-share", "make a dial: the share of the wishes that only the history has, 0 to 1", float),
        Option("dialogues", "dial: dialogues to test with, about; train gets twice as many [default: 1000]", int),
        Option("kinds", "dial: of plain,supersede,rollback,reordered [default: all that apply]"),
        Option("shortest", "dial: fewest turns of a dialogue [default: 2]", int),
        Option("longest", "dial: most turns of a dialogue, up to 8 [default: 4]", int),
        Option("no-pictures", "dial: draw nothing, for studies on captions", bool, default=False),
    )

    def prepare(self, raw: Path, **options: Any) -> Mapping[str, Path]:
        """Draw the raw files, unless they are there already with these options.

        Raises:
            MtbenchError: options out of range, or ``raw`` holds something else.
        """
        from builders.shoebox.dial import DialOptions, generate_dial
        from builders.shoebox.generate import ShoeboxOptions, generate

        chosen = self._options(options)
        try:
            if isinstance(chosen, DialOptions):
                generate_dial(raw, chosen)
            elif isinstance(chosen, ShoeboxOptions):
                generate(raw, chosen)
        except (ValueError, OSError) as error:
            raise MtbenchError(f"shoebox: {error}") from error
        pictures = {} if getattr(chosen, "pictures", True) is False else {"images": raw / "images"}
        return {**pictures, "image_captions": raw / "image_captions.json"}

    def read(self, raw: Path, **options: Any) -> RawDataset:
        """Read the drawn files exactly as the ``shoes`` builder reads its own, or the dialogues of a dial."""
        from builders.shoebox.dial import DialOptions
        from builders.shoebox.dial_files import read_dial
        from builders.shoebox.truth import truth_of_pairs

        chosen = self._options(options)
        if isinstance(chosen, DialOptions):
            return read_dial(raw, chosen)
        found = read_shoes(raw, category="shoebox")
        found.truth = truth_of_pairs(raw, found.pairs)
        found.options = {"size": chosen.images}
        return found

    def _options(self, given: Mapping[str, Any]) -> DialOptions | ShoeboxOptions:
        """What to make, from what was typed; without ``history_share`` the data set of pairs.

        Raises:
            MtbenchError: options out of range, or without effect.
        """
        from builders.shoebox.dial import DialOptions
        from builders.shoebox.generate import ShoeboxOptions

        known = {name: value for name, value in given.items() if value is not None and value is not False}
        if known.get("size", 0) > LARGEST:
            raise MtbenchError(f"shoebox: --size may be {LARGEST:,} at most, not {known['size']:,}")
        common = {new: known[name] for name, new in (("size", "images"), ("seed", "seed")) if name in known}
        if "width" in known:
            common |= {"width": known["width"], "height": known["width"] * 3 // 4}
        try:
            if "history_share" not in known:
                idle = [f"--{name.replace('_', '-')}" for name in OF_THE_DIAL if name in known]
                if idle:
                    raise ValueError(f"{' and '.join(idle)} shape a dial only: add --history-share, such as 0.5.")
                return ShoeboxOptions(**common)
            own = {name: known[name] for name in OF_THE_DIAL[:-1] if name in known}
            if "kinds" in own:
                own["kinds"] = tuple(dict.fromkeys(name.strip() for name in own["kinds"].split(",")))
            return DialOptions(known["history_share"], pictures="no_pictures" not in known, **common, **own)
        except ValueError as error:
            raise MtbenchError(f"shoebox: {error}") from error
