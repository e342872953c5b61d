"""A little English for simulated users: articles, lists, and which words say how a thing is.

>>> an("open toe"), an("unusual hem"), an("uniform")
('an open toe', 'an unusual hem', 'a uniform')
>>> listed(["a", "b", "c"])
'a, b and c'
"""

from __future__ import annotations

from collections.abc import Sequence


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ADJECTIVES = _set(
    "abstract asymmetric asymmetrical athletic basic beige big black blue bold botanical bright brown burgundy "
    "casual chic classic clean cool cozy cream curved cute dark deep dreamy elegant everyday fancy feminine flat "
    "flirty floral flowy fluffy formal french fresh genuine girly gold golden graphic gray green grey high hot huge "
    "lacy large leafy light long loose low mature metallic mid mini mixed modern narrow nautical navy neon olive "
    "open orange patriotic pink plain political pure purple raw red refined relaxed retro revealing round scary "
    "sexy sheer shiny short silver simple skinny sleek slim small smooth soft solid sophisticated sparkling special "
    "sporty square stiff straight strappy stretchy sweet tall tan textured thermal thick thin tight tiny tonal "
    "transparent tribal tropical turquoise vertical vintage warm white wide wild wordy yellow"
)
_ENDINGS = ("ed", "less", "ful", "ish")
_PARTS = _set(
    "belt bow button collar cut fit front heel hem hood length logo neck neckline panel pattern pocket print seam "
    "sleeve slit strap tie toe train trim v-neck waist yoke zip zipper"
)
_GARMENTS = _set(
    "blazer blouse boot boots cami cardigan clog clogs dress gown henley jacket jeans jumpsuit kimono leggings polo "
    "pullover romper sandal sandals shirt shorts skirt sneaker sneakers sundress sweater t-shirt tank tee top tunic "
    "turtleneck"
)
_CLOTHS = _set(
    "canvas cashmere chambray chiffon cotton crepe crochet denim flannel fleece jacquard jersey knit lace leather "
    "linen mesh nylon organza patent polyester rayon rubber satin silk spandex suede tulle twill velvet wool"
)
_SHORT = _set("bold bright cool dark deep fresh high light long loose low neat plain short slim soft sweet")
_SILENT = ("uni", "use", "eu", "one")


def an(words: str) -> str:
    """The words with their indefinite article, by the first letter and a few sounds."""
    vowel = words[:1].lower() in tuple("aeiou") and not words.lower().startswith(_SILENT)
    return ("an " if vowel else "a ") + words


def listed(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def is_adjective(words: str) -> bool:
    """Whether the words say how a thing is: by a list and by endings, so that it may be wrong about rare words."""
    last = words.lower().replace("-", " ").rpartition(" ")[2]
    return last in _ADJECTIVES or (len(last) > 4 and last.endswith(_ENDINGS))


def is_part(words: str) -> bool:
    """Whether the words name one part of a thing, such as its collar."""
    return words.lower().rpartition(" ")[2] in _PARTS


def is_garment(words: str) -> bool:
    """Whether the words name what is worn."""
    return words.lower().rpartition(" ")[2] in _GARMENTS


def is_cloth(words: str) -> bool:
    """Whether the words name what things are made of."""
    return words.lower().rpartition(" ")[2] in _CLOTHS


def more(adjective: str) -> str:
    """An adjective raised: ``more floral``, ``softer``; one that knows no degree, such as ``belted``, as it is."""
    if adjective.endswith(("less", "ed")):
        return adjective
    if adjective in _SHORT:
        last = adjective[-1] if adjective[-1] in "m" else ""
        return adjective + last + ("r" if adjective.endswith("e") else "er")
    return f"more {adjective}"


def is_plural(words: str) -> bool:
    """Whether the words name several things."""
    return len(words) > 3 and words.endswith("s") and not words.endswith(("ss", "us", "is"))
