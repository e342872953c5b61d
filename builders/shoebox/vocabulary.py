"""The vocabulary of the drawn shoes: attributes, their values, and which values go together.

Values are ordered where they can be compared (heel height, sole, shaft).  Each category has its own table, so
that a rain boot is never made of satin and a running shoe never has a stiletto heel.
"""

from __future__ import annotations

from collections.abc import Mapping

COLOURS = [
    "black",
    "white",
    "cream",
    "grey",
    "brown",
    "tan",
    "red",
    "burgundy",
    "pink",
    "orange",
    "yellow",
    "green",
    "turquoise",
    "blue",
    "navy",
    "purple",
    "gold",
    "silver",
]
ACCENTS = ["black", "white", "brown", "red", "pink", "yellow", "green", "blue", "purple", "gold", "silver"]
HEEL_HEIGHTS = ("flat", "low", "mid", "high", "very high")
SOLES = ("thin", "thick", "platform")
SHAFTS = ("low", "ankle", "calf", "knee")

VALUES: dict[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS),
    "accent": tuple(ACCENTS),
    "material": ("leather", "suede", "patent", "canvas", "mesh", "glitter", "satin", "lace", "rubber"),
    "heel height": HEEL_HEIGHTS,
    "heel shape": ("none", "block", "stiletto", "cone", "wedge"),
    "toe": ("round", "pointed", "square", "open"),
    "closure": ("slip-on", "laces", "zip", "buckle", "velcro"),
    "strap": ("none", "ankle", "t-strap", "crossed", "slingback"),
    "sole": SOLES,
    "ornament": ("none", "bow", "flower", "studs", "pom-pom", "jewel"),
    "pattern": ("plain", "stripes", "dots", "checks", "floral", "animal"),
    "shaft": SHAFTS,
}
ATTRIBUTES = tuple(VALUES)

_DARK_AND_PALE = "black:4 white:2 cream grey brown:2 tan navy"
_ANY_COLOUR = _DARK_AND_PALE + " red:2 burgundy pink orange yellow green turquoise blue purple"
_METALS = " gold silver"
_ANY_ACCENT = " ".join(ACCENTS)
_PATTERNS = "plain:5 stripes dots checks floral animal"
_JEWELLERY = "none:4 bow flower studs pom-pom jewel"
_STRAPS = "none:4 ankle t-strap crossed slingback"

# One line per attribute: the values a category may take, each with a weight (1 unless given).
TABLE: dict[str, dict[str, str]] = {
    "athletic_shoes": {
        "colour": _ANY_COLOUR,
        "accent": _ANY_ACCENT,
        "material": "mesh:4 leather:2 suede canvas",
        "heel height": "flat",
        "heel shape": "none",
        "toe": "round",
        "closure": "laces:4 velcro zip slip-on",
        "strap": "none",
        "sole": "thin thick:2 platform",
        "ornament": "none:6 studs jewel",
        "pattern": "plain:5 stripes dots checks animal",
        "shaft": "low:3 ankle",
    },
    "boots": {
        "colour": _ANY_COLOUR,
        "accent": _ANY_ACCENT,
        "material": "leather:3 suede:2 patent canvas",
        "heel height": "flat low mid high:2 very-high",
        "heel shape": "block:2 stiletto cone wedge",
        "toe": "round:2 pointed square",
        "closure": "slip-on laces zip buckle",
        "strap": "none",
        "sole": "thin:2 thick platform",
        "ornament": "none:4 bow flower studs pom-pom jewel",
        "pattern": "plain:5 checks dots floral animal",
        "shaft": "ankle:2 calf:2 knee",
    },
    "clogs": {
        "colour": _ANY_COLOUR,
        "accent": _ANY_ACCENT,
        "material": "leather:3 suede:2 patent canvas rubber",
        "heel height": "flat low:2 mid:2 high",
        "heel shape": "block:2 wedge",
        "toe": "round:3 square open",
        "closure": "slip-on:2 buckle",
        "strap": "none:2 slingback",
        "sole": "thin thick:2 platform",
        "ornament": _JEWELLERY,
        "pattern": _PATTERNS,
        "shaft": "low",
    },
    "flats": {
        "colour": _ANY_COLOUR + _METALS,
        "accent": _ANY_ACCENT,
        "material": "leather:2 suede patent canvas glitter satin",
        "heel height": "flat:3 low",
        "heel shape": "block:2 cone",
        "toe": "round:3 pointed:2 square open",
        "closure": "slip-on:2 buckle",
        "strap": _STRAPS,
        "sole": "thin:3 thick",
        "ornament": _JEWELLERY,
        "pattern": _PATTERNS,
        "shaft": "low",
    },
    "high_heels": {
        "colour": _ANY_COLOUR + _METALS,
        "accent": _ANY_ACCENT,
        "material": "leather:2 suede patent glitter satin",
        "heel height": "mid high:2 very-high:2",
        "heel shape": "stiletto:2 block cone wedge",
        "toe": "open:3 pointed round square",
        "closure": "slip-on buckle zip",
        "strap": "none ankle:2 t-strap crossed slingback",
        "sole": "thin:2 thick platform",
        "ornament": _JEWELLERY,
        "pattern": "plain:6 stripes dots floral animal",
        "shaft": "low",
    },
    "pumps": {
        "colour": _ANY_COLOUR + _METALS,
        "accent": _ANY_ACCENT,
        "material": "leather:2 suede patent:2 glitter satin canvas",
        "heel height": "low mid:2 high:2 very-high",
        "heel shape": "block:2 stiletto cone wedge",
        "toe": "round:2 pointed square open",
        "closure": "slip-on:3 buckle zip",
        "strap": _STRAPS,
        "sole": "thin:2 thick platform",
        "ornament": _JEWELLERY,
        "pattern": _PATTERNS,
        "shaft": "low",
    },
    "rain_boots": {
        "colour": _ANY_COLOUR,
        "accent": _ANY_ACCENT,
        "material": "rubber:3 patent canvas",
        "heel height": "flat:2 low mid",
        "heel shape": "block:2 wedge",
        "toe": "round:3 square",
        "closure": "slip-on:2 buckle laces zip",
        "strap": "none",
        "sole": "thin thick:2 platform",
        "ornament": "none:3 bow flower studs pom-pom",
        "pattern": "plain:3 stripes dots checks floral animal",
        "shaft": "ankle calf:2 knee",
    },
    "sneakers": {
        "colour": _ANY_COLOUR,
        "accent": _ANY_ACCENT,
        "material": "canvas:3 leather:2 suede glitter",
        "heel height": "flat:4 low mid",
        "heel shape": "wedge",
        "toe": "round",
        "closure": "laces:3 velcro zip slip-on",
        "strap": "none",
        "sole": "thin thick:2 platform",
        "ornament": "none:4 studs bow jewel flower",
        "pattern": _PATTERNS,
        "shaft": "low:2 ankle",
    },
    "stiletto": {
        "colour": _ANY_COLOUR + _METALS,
        "accent": _ANY_ACCENT,
        "material": "patent:2 leather suede satin glitter",
        "heel height": "mid high:2 very-high:2",
        "heel shape": "stiletto",
        "toe": "pointed:3 round open square",
        "closure": "slip-on:3 buckle zip",
        "strap": _STRAPS,
        "sole": "thin:3 thick platform",
        "ornament": _JEWELLERY,
        "pattern": _PATTERNS,
        "shaft": "low",
    },
    "wedding_shoes": {
        "colour": "white:4 cream:3 silver:2 gold pink blue purple",
        "accent": "white silver gold pink blue purple",
        "material": "satin:3 lace:2 glitter leather",
        "heel height": "flat low mid:2 high:2 very-high",
        "heel shape": "stiletto:2 block cone wedge",
        "toe": "round pointed square open",
        "closure": "slip-on:3 buckle zip",
        "strap": _STRAPS,
        "sole": "thin:2 platform",
        "ornament": "none:2 bow flower jewel:2 pom-pom",
        "pattern": "plain:5 floral dots",
        "shaft": "low",
    },
}
CATEGORIES = tuple(TABLE)


def _parse(line: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    names, weights = [], []
    for word in line.split():
        name, _, weight = word.partition(":")
        names.append(name.replace("very-high", "very high"))
        weights.append(float(weight or 1))
    return tuple(names), tuple(weights)


CHOICES = {category: {attribute: _parse(line) for attribute, line in rows.items()} for category, rows in TABLE.items()}


def is_valid(attributes: Mapping[str, str]) -> bool:
    """Whether a person could find such a shoe: known values that fit together."""
    rows = CHOICES.get(attributes.get("category", ""))
    if rows is None or set(attributes) != {"category", *ATTRIBUTES}:
        return False
    for name in ATTRIBUTES:
        if name != "heel shape" and attributes[name] not in rows[name][0]:
            return False
    flat = attributes["heel height"] == "flat"
    if flat != (attributes["heel shape"] == "none"):
        return False
    if not flat and attributes["heel shape"] not in rows["heel shape"][0]:
        return False
    if attributes["colour"] == attributes["accent"]:
        return False
    return not (attributes["strap"] == "slingback" and attributes["closure"] == "zip")
