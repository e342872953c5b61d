"""Makes the raw files of a dial: a gallery for each split, and dialogues whose memory demand is known.

Raw layout::

    train_im_names.txt      one image on each line
    dev_im_names.txt
    eval_im_names.txt
    attributes.json         {image: {attribute: value}}, the truth
    image_captions.json     {image: a caption that names all of them}
    dialogues.json          [{"id", "split", "kind", "block", "member", "last_turn", "turns", "target"}, ...]
    images/                 the pictures, unless they are not wanted
    shoebox.json            options
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtbench.core.errors import unknown

from .blocks import KINDS, Draft, cells, dialogues, hidden_of
from .families import design_for, shelves
from .folder import make_folder, write_json, write_text
from .generate import check_drawing, draw_all, image_names
from .phrases import caption

VERSION = 1
DIALOGUES_FILE = "dialogues.json"
SHORTEST, LONGEST = 2, 8

WANTED = {"train": 2.0, "dev": 0.5, "eval": 1.0}
"""Dialogues of each split, in multiples of those to test with."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class DialOptions:
    """What to make; ``workers`` (0: one per processor) never changes a byte.

    Attributes:
        share: of the discriminating wishes, how many are asked for only before the last turn: 0 to 1.
        images: of all splits together, at most.
        dialogues: to test with, about: blocks are whole.
        kinds: of `builders.shoebox.blocks.KINDS`; none for all that apply.
        shortest, longest: turns.
    """

    share: float
    images: int = 8192
    seed: int = 0
    dialogues: int = 1000
    kinds: tuple[str, ...] = ()
    shortest: int = 2
    longest: int = 4
    pictures: bool = True
    width: int = 192
    height: int = 144
    workers: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"--history-share must be between 0 and 1, not {self.share:g}.")
        if not SHORTEST <= self.shortest <= self.longest <= LONGEST:
            raise ValueError(
                f"dialogues must have between {SHORTEST} and {LONGEST} turns, not {self.shortest} to {self.longest}: "
                "see --shortest and --longest."
            )
        if self.dialogues < 1:
            raise ValueError(f"--dialogues must be at least 1, not {self.dialogues}.")
        check_drawing(self.seed, self.width, self.height)
        design_for(self.images)
        for kind in self.kinds:
            if kind not in KINDS:
                raise unknown("kind of dialogue", kind, KINDS)
            if not self._apply(kind):
                raise ValueError(
                    f"no dialogue of the kind {kind!r} with --history-share {self.share:g} and at most {self.longest} "
                    "turns: supersede and rollback need a hidden wish, reordered needs three turns."
                )
        if not all(cells(self.used, self.lengths, hidden, self.design[0]) for hidden in self._hidden):
            raise ValueError(
                f"with --history-share {self.share:g} and at most {self.longest} turns, some dialogues can be of none "
                "of these kinds (supersede and rollback need a hidden wish): add plain to --kinds."
            )

    @property
    def design(self) -> tuple[int, int]:
        """Discriminating attributes, and values of each."""
        return design_for(self.images)

    @property
    def lengths(self) -> range:
        """The numbers of turns."""
        return range(self.shortest, self.longest + 1)

    @property
    def used(self) -> tuple[str, ...]:
        """The kinds that are asked for, or else all that apply."""
        return self.kinds or tuple(kind for kind in KINDS if self._apply(kind))

    @property
    def _hidden(self) -> set[int]:
        """The numbers of hidden wishes there are."""
        return {hidden_of(block, self.share, self.design[0]) for block in range(1000)}

    def _apply(self, kind: str) -> bool:
        return any(cells([kind], self.lengths, hidden, self.design[0]) for hidden in self._hidden)


def generate_dial(root: Path, options: DialOptions) -> None:
    """Write the raw files to ``root``, which must be absent or empty, or already hold exactly these.

    Raises:
        FileExistsError: ``root`` holds something else.
        ValueError: too few or too many images for such dialogues.
    """
    chosen = asdict(options)
    del chosen["workers"]
    stamp = {"generator": "shoebox dial", "version": VERSION, "options": {**chosen, "kinds": list(options.kinds)}}
    make_folder(root, stamp, lambda folder: _fill(folder, options))


def _fill(folder: Path, options: DialOptions) -> None:
    made = shelves(options.images, options.seed)
    shoes = [shoe for shelf in made.values() for shoe in shelf.shoes]
    names = image_names(shoes)
    records, begun = [], 0
    for part, (split, shelf) in enumerate(made.items()):
        listed = names[begun : begun + len(shelf.shoes)]
        begun += len(listed)
        drafts = dialogues(
            shelf,
            share=options.share,
            kinds=options.used,
            lengths=options.lengths,
            wanted=round(options.dialogues * WANTED[split]) or 1,
            seed=(options.seed, 9, part),
        )
        records += [_record(n, split, draft, listed) for n, draft in enumerate(drafts)]
        write_text(folder / f"{split}_im_names.txt", "\n".join(listed) + "\n")
    rows = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    write_text(folder / DIALOGUES_FILE, f"[\n{rows}\n]\n")
    write_json(folder / "attributes.json", dict(zip(names, shoes, strict=True)))
    write_json(folder / "image_captions.json", {n: caption(shoe) for n, shoe in zip(names, shoes, strict=True)})
    if options.pictures:
        scenes = [scene for shelf in made.values() for scene in shelf.scenes.tolist()]
        size = {"width": options.width, "height": options.height}
        draw_all(folder / "images", names, shoes, scenes, workers=options.workers, **size)


def _record(number: int, split: str, draft: Draft, names: Sequence[str]) -> Record:
    return {
        "id": f"shoebox.{split}.{number:04}",
        "split": split,
        "kind": draft.kind,
        "block": draft.block,
        "member": draft.member,
        "last_turn": draft.last_turn,
        "turns": [
            {"reference": names[step.reference], "feedback": step.text, "requests": dict(step.asks)}
            for step in draft.steps
        ],
        "target": names[draft.target],
    }
