"""Write a complete shoebox data set, atomically and resumably.

Each picture is renamed into place once complete; a rerun with the same options keeps those already there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .attributes import CATEGORIES, FAMILY_SIZE, VALUES, sample_attributes
from .captions import caption
from .chance import shuffled
from .draw import draw
from .feedback import feedback
from .folder import make_folder, write_json, write_text
from .pairs import is_eval, sample_pairs

VERSION = 1
FEWEST_IMAGES = 40
_BATCH = 16


@dataclass(frozen=True)
class ShoeboxOptions:
    """What to generate; `workers` (0: one per processor) never changes a byte."""

    images: int = 1200
    seed: int = 0
    pairs_per_image: float = 0.9
    width: int = 192
    height: int = 144
    eval_share: float = 1 / 3
    workers: int = 0

    def __post_init__(self) -> None:
        if self.images < FEWEST_IMAGES:
            raise ValueError(f"images must be at least {FEWEST_IMAGES}, not {self.images}.")
        check_drawing(self.seed, self.width, self.height)
        if not 0.1 <= self.pairs_per_image <= 3:
            raise ValueError(f"pairs_per_image must be between 0.1 and 3, not {self.pairs_per_image}.")
        if not 0 < self.eval_share < 1:
            raise ValueError(f"eval_share must be between 0 and 1, not {self.eval_share}.")
        families = -(-self.images // FAMILY_SIZE)
        held_out = sum(is_eval(family * FAMILY_SIZE, self.eval_share) for family in range(families))
        if not 0 < held_out < families:
            raise ValueError(f"eval_share {self.eval_share} leaves one split of {self.images} images empty.")
        if self.workers < 0:
            raise ValueError(f"workers must not be negative, but is {self.workers}.")


def check_drawing(seed: int, width: int, height: int) -> None:
    """Refuse what no picture can be drawn with."""
    if seed < 0:
        raise ValueError(f"--seed must not be negative, but is {seed}.")
    if not (32 <= width <= 4096 and 32 <= height <= 4096):
        raise ValueError(f"width and height must be between 32 and 4096, not {width} x {height}.")


def image_names(shoes: Sequence[Mapping[str, str]]) -> list[str]:
    """File names in the published scheme: numbered within the category."""
    counts: dict[str, int] = {}
    names = []
    for shoe in shoes:
        category = shoe["category"]
        number = counts.get(category, 0)
        counts[category] = number + 1
        names.append(f"img_womens_{category}_{number}.jpg")
    return names


def _scene(n: int, seed: int) -> int:
    return int(np.random.SeedSequence((seed, 2, n)).generate_state(1)[0])


def _draw_batch(batch: Sequence[tuple[Path, Mapping[str, str], int]], width: int, height: int) -> int:
    for path, shoe, scene in batch:
        draft = path.with_name(path.name + ".tmp")
        draw(shoe, width=width, height=height, scene=scene).save(draft, "JPEG", quality=90, subsampling=0)
        draft.replace(path)
    return len(batch)


def draw_all(
    folder: Path,
    names: Sequence[str],
    shoes: Sequence[Mapping[str, str]],
    scenes: Sequence[int],
    *,
    width: int,
    height: int,
    workers: int = 0,
) -> None:
    """Draw the pictures that are not in ``folder`` yet, each in its scene; 0 workers: one per processor."""
    folder.mkdir(parents=True, exist_ok=True)
    done = {path.name for path in folder.iterdir()}
    todo = [
        (folder / name, shoe, scene) for name, shoe, scene in zip(names, shoes, scenes, strict=True) if name not in done
    ]
    batches = [todo[i : i + _BATCH] for i in range(0, len(todo), _BATCH)]
    workers = min(workers or os.cpu_count() or 1, max(1, len(batches)))
    with tqdm(total=len(names), initial=len(names) - len(todo), desc="drawing", unit="shoe", disable=None) as bar:
        if workers == 1:
            for batch in batches:
                bar.update(_draw_batch(batch, width, height))
            return
        sizes = ([width] * len(batches), [height] * len(batches))
        with ProcessPoolExecutor(workers) as pool:
            for count in pool.map(_draw_batch, batches, *sizes):
                bar.update(count)


def _stamp(options: ShoeboxOptions) -> dict[str, object]:
    chosen = asdict(options)
    del chosen["workers"]
    return {
        "generator": "shoebox",
        "version": VERSION,
        "options": chosen,
        "categories": list(CATEGORIES),
        "attributes": {name: list(values) for name, values in VALUES.items()},
    }


def _write_texts(folder: Path, names: Sequence[str], shoes: Sequence[dict[str, str]], options: ShoeboxOptions) -> None:
    seed = options.seed
    for part, file in enumerate(("train_im_names.txt", "eval_im_names.txt")):
        listed = [name for n, name in enumerate(names) if is_eval(n, options.eval_share) == bool(part)]
        write_text(folder / file, "\n".join(shuffled(np.random.default_rng((seed, 5, part)), listed)) + "\n")
    relative, mentioned = [], []
    for reference, target in sample_pairs(shoes, seed, options.pairs_per_image, options.eval_share):
        rng = np.random.default_rng((seed, 6, reference, target))
        text, values = feedback(shoes[reference], shoes[target], rng)
        relative.append({"ImageName": names[target], "ReferenceImageName": names[reference], "RelativeCaption": text})
        mentioned.append(values)
    write_json(folder / "relative_captions_shoes.json", relative)
    write_json(folder / "feedback_attributes.json", mentioned)
    captions = {
        name: caption(shoe, np.random.default_rng((seed, 7, n)))
        for n, (name, shoe) in enumerate(zip(names, shoes, strict=True))
    }
    write_json(folder / "image_captions.json", captions)
    write_json(folder / "attributes.json", dict(zip(names, shoes, strict=True)))


def generate(root: Path, options: ShoeboxOptions) -> None:
    """Write the data set to `root`, which must be absent or empty, or already hold exactly this data set."""

    def fill(folder: Path) -> None:
        shoes = sample_attributes(options.images, options.seed)
        names = image_names(shoes)
        _write_texts(folder, names, shoes, options)
        scenes = [_scene(n, options.seed) for n in range(options.images)]
        size = {"width": options.width, "height": options.height}
        draw_all(folder / "images", names, shoes, scenes, workers=options.workers, **size)

    make_folder(root, _stamp(options), fill)
