"""Two galleries of images named by letters, built from a table of pairs as a user builds one.

::

    dress   train a --> b --> c       dev d --> e --> f       test g --> h --> i --> j
    shirt   train k --> l --> m       dev n --> o --> p       test q --> r --> s

The default policy makes a transaction for each target with two turns or more behind it, so that there are three
to rank: ``g h i`` and ``g h i j`` among the ten dresses, ``q r s`` among the nine shirts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mtbench.data.benchmark import Benchmark
from mtbench.data.build import BuildOptions, build

TABLE = """\
kind,part,from,to,wish
dress,train,a,b,is blue
dress,train,b,c,is longer
dress,dev,d,e,has dots
dress,dev,e,f,is green
dress,test,g,h,is red
dress,test,h,i,has stripes
dress,test,i,j,is short
shirt,train,k,l,is blue
shirt,train,l,m,has a collar
shirt,dev,n,o,is green
shirt,dev,o,p,has dots
shirt,test,q,r,is blue
shirt,test,r,s,has stripes
"""

CAPTIONS = {
    **{
        "a": "a red dress",
        "b": "a blue dress",
        "c": "a long blue dress",
        "d": "a plain dress",
        "e": "a dress with dots",
    },
    **{"f": "a green dress with dots", "g": "a long dress", "h": "a red dress", "i": "a red dress with stripes"},
    **{"j": "a short red dress with stripes", "k": "a shirt", "l": "a blue shirt", "m": "a blue shirt with a collar"},
    **{"n": "a plain shirt", "o": "a green shirt", "p": "a green shirt with dots", "q": "a white shirt"},
    **{"r": "a blue shirt without stripes", "s": "a blue shirt with stripes"},
}

COLUMNS = {"reference": "from", "target": "to", "feedback": ("wish",), "category": "kind", "split_column": "part"}

MODELS = '''\
"""Models that somebody wrote in a file of their own."""

from pathlib import Path

import numpy as np


class Order:
    """Ranks images in a fixed order of letters, and notes in a file that it was asked."""

    def __init__(self, *, best: str = "abcdiefghjklmnopqrs", log: Path | None = None, seed: int = 0) -> None:
        self.best, self.log, self.seed = best, log, seed

    def score(self, histories, image_ids, catalogue):
        if self.log:
            with (self.log / "asked").open("a") as stream:  # a folder: the content of a file would count
                stream.write("asked\\n")
        return np.tile([-float(self.best.index(image)) for image in image_ids], (len(histories), 1))


class Letters:
    """An embedding model: the image nearest to the last reference in the alphabet comes first."""

    similarity = "cosine"

    def embed_images(self, image_ids, catalogue):
        angles = np.array([ord(image) - ord("a") for image in image_ids]) / 26
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def embed_histories(self, histories, catalogue):
        return self.embed_images([history.references[-1] for history in histories], catalogue)
'''


def write_raw(folder: Path) -> tuple[Path, Path]:
    """The table of pairs and the file of captions."""
    folder.mkdir(parents=True, exist_ok=True)
    table, captions = folder / "pairs.csv", folder / "captions.json"
    table.write_text(TABLE, encoding="utf-8")
    captions.write_text(json.dumps(CAPTIONS), encoding="utf-8")
    return table, captions


def build_letters(folder: Path, *, captions: Mapping[str, str] | None = CAPTIONS, name: str = "letters") -> Benchmark:
    """Build the benchmark into ``folder/name``; with None no caption stands for the images."""
    from builders.pairs import Pairs

    table, file = write_raw(folder / "raw")
    file.write_text(json.dumps(captions), encoding="utf-8")
    options = BuildOptions(
        split="official", name="letters", image_captions=file if captions is not None else None, extra=COLUMNS
    )
    return build("pairs", Pairs(), table, folder / name, options, progress=False)
