"""What a captioning model would say about one picture: its kind and some of its attributes, never all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .chance import one, shuffled
from .words import NOUNS, an, join

_NEUTRAL = {
    "heel height": ("flat",),
    "toe": ("round",),
    "closure": ("slip-on",),
    "strap": ("none",),
    "sole": ("thin",),
    "ornament": ("none",),
    "pattern": ("plain",),
    "heel shape": ("none",),
    "shaft": ("low",),
}
_SHOWN = {
    "heel height": {
        "low": "a low heel",
        "mid": "a medium heel",
        "high": "a high heel",
        "very high": "a very high heel",
    },
    "heel shape": {
        "block": "a block heel",
        "stiletto": "a stiletto heel",
        "cone": "a cone heel",
        "wedge": "a wedge heel",
    },
    "toe": {"pointed": "a pointed toe", "square": "a square toe", "open": "an open toe"},
    "closure": {"laces": "laces", "zip": "a zipper", "buckle": "a buckle", "velcro": "velcro straps"},
    "strap": {
        "ankle": "an ankle strap",
        "t-strap": "a t-strap",
        "crossed": "crossed straps",
        "slingback": "a slingback strap",
    },
    "sole": {"thick": "a thick sole", "platform": "a platform sole"},
    "ornament": {
        "bow": "a bow",
        "flower": "a flower",
        "studs": "studs",
        "pom-pom": "a pom-pom",
        "jewel": "a jewel",
    },
    "pattern": {
        "stripes": "stripes",
        "dots": "polka dots",
        "checks": "a checked pattern",
        "floral": "a floral print",
        "animal": "an animal print",
    },
}
_LOOK = {"patent": "patent leather", "glitter": "glitter", "lace": "lace"}


def caption(shoe: Mapping[str, str], rng: np.random.Generator) -> str:
    """One sentence about one shoe."""
    noun = NOUNS[shoe["category"]]
    if shoe["shaft"] in ("knee", "ankle") and "boot" in noun and rng.random() < 0.5:
        noun = f"{shoe['shaft']}{'-high' if shoe['shaft'] == 'knee' else ''} {noun}"
    words = [shoe["colour"]] if rng.random() < 0.88 else []
    if rng.random() < 0.15 and words:
        words = [f"{shoe['colour']} and {shoe['accent']}"]
    if rng.random() < 0.4 and not (shoe["material"] == "rubber" and "rain" in noun):
        words.append(_LOOK.get(shoe["material"], shoe["material"]))
    if rng.random() < 0.3:
        words.insert(0, "women's")
    notable = [n for n in _SHOWN if shoe[n] not in _NEUTRAL[n]]
    if "heel" in noun or noun == "stiletto":
        notable = [n for n in notable if not n.startswith("heel")]
    if "heel height" in notable and "heel shape" in notable:
        notable.remove("heel height" if rng.random() < 0.5 else "heel shape")
    count = int(rng.integers(0, 4))
    picked = shuffled(rng, notable)[:count]
    thing = an(" ".join([*words, noun]))
    if picked:
        thing += " with " + join([_SHOWN[name][shoe[name]] for name in picked])
    frames = ("{}",) * 5 + (
        "{} on a plain background",
        "a photo of {}",
        "a picture of {}",
        "a close up of {}",
        "a side view of {}",
    )
    return one(rng, frames).format(thing)
