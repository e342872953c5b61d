"""The wordings of each attribute difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .attributes import HEEL_HEIGHTS, SHAFTS, SOLES

NOUNS = {
    "athletic_shoes": "running shoe",
    "boots": "boot",
    "clogs": "clog",
    "flats": "flat",
    "high_heels": "high heel",
    "pumps": "pump",
    "rain_boots": "rain boot",
    "sneakers": "sneaker",
    "stiletto": "stiletto",
    "wedding_shoes": "wedding shoe",
}


@dataclass(frozen=True)
class Wording:
    """Ways to say one difference: what the target `is`, what it `has`, a phrase after `but`, a short note."""

    states: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()


def an(words: str) -> str:
    """The words with their indefinite article."""
    return ("an " if words[0] in "aeiou" else "a ") + words


def join(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


_MATERIAL = {
    "leather": ("made of leather", "smooth leather"),
    "suede": ("made of suede", "soft suede"),
    "patent": ("made of patent leather", "shiny patent leather"),
    "canvas": ("made of canvas", "canvas"),
    "mesh": ("made of mesh", "breathable mesh"),
    "glitter": ("covered in glitter", "glitter"),
    "satin": ("made of satin", "satin"),
    "lace": ("made of lace", "delicate lace"),
    "rubber": ("made of rubber", "rubber"),
}
_SHAPES = {
    "block": ("a block heel", "a chunky block heel"),
    "stiletto": ("a stiletto heel", "a thin stiletto heel"),
    "cone": ("a cone heel", "a tapered cone heel"),
    "wedge": ("a wedge heel", "a solid wedge heel"),
}
_CLOSING = {"laces": "laces", "zip": "a zip", "buckle": "a buckle", "velcro": "velcro tabs"}
_WITHOUT = {"laces": "no laces", "zip": "no zip", "buckle": "no buckle", "velcro": "no velcro"}
_STRAPS = {
    "ankle": "an ankle strap",
    "t-strap": "a T-strap",
    "crossed": "crossed straps",
    "slingback": "a slingback strap",
}
_NO_STRAP = {
    "ankle": "no ankle strap",
    "t-strap": "no T-strap",
    "crossed": "no crossed straps",
    "slingback": "no slingback strap",
}
_ORNAMENTS = {
    "bow": ("a bow", "a bow on it"),
    "flower": ("a flower", "a flower on it"),
    "studs": ("studs", "a row of studs"),
    "pom-pom": ("a pom-pom", "a fluffy pom-pom"),
    "jewel": ("a jewel", "a jewelled brooch"),
}
_PATTERNS = {
    "stripes": ("striped", "stripes"),
    "dots": ("covered in polka dots", "polka dots"),
    "checks": ("checked", "a checked pattern"),
    "floral": ("covered in a floral print", "a floral print"),
    "animal": ("covered in an animal print", "an animal print"),
}


def _colour(was: str, now: str) -> Wording:
    return Wording(
        states=(now, now, f"{now} instead of {was}", f"{now} rather than {was}"),
        things=(f"{an(now)} upper", f"{an(now)} body"),
        phrases=(f"in {now}", f"in {now} instead of {was}"),
        bare=(f"{now} instead of {was}", f"{now} upper", f"in {now}"),
    )


def _accent(was: str, now: str) -> Wording:
    return Wording(things=(f"{now} trim", f"{now} details", f"{now} accents", f"{now} trim instead of {was}"))


def _material(was: str, now: str) -> Wording:
    state, name = _MATERIAL[now]
    old = "patent leather" if was == "patent" else was
    upper = f"{an(name)} upper" if now != "glitter" else "a glitter finish"
    return Wording(
        states=(state,),
        things=(upper,),
        phrases=(f"in {name}",) if now != "glitter" else ("in glitter",),
        bare=(f"{name} instead of {old}", upper),
    )


def _heel_height(was: str, now: str) -> Wording:
    step = HEEL_HEIGHTS.index(now) - HEEL_HEIGHTS.index(was)
    if now == "flat":
        return Wording(
            states=("flat", "completely flat"),
            things=("no heel", "a flat sole instead of a heel"),
            bare=("no heel", "flat"),
        )
    if was == "flat":
        level = {"mid": "medium"}.get(now, now)
        return Wording(
            things=(
                "a heel",
                f"{an(level)} heel",
                f"{an(level)} heel instead of a flat sole",
                "a raised heel",
            )
        )
    if step > 0:
        much = "a much " if step > 1 else "a "
        return Wording(things=(f"{much}higher heel", f"{much}taller heel", "a higher heel"))
    much = "a much " if step < -1 else "a "
    return Wording(things=(f"{much}lower heel", f"{much}shorter heel", "a lower heel"))


def _heel_shape(was: str, now: str) -> Wording | None:
    if now == "none":
        return None
    things: tuple[str, ...] = _SHAPES[now]
    if was != "none":
        things += (f"{things[0]} instead of {an(was)}",)
    return Wording(things=things)


def _toe(was: str, now: str) -> Wording:
    if now == "open":
        return Wording(states=("open at the toe", "open-toed"), things=("an open toe", "a peep toe"))
    closed = "closed " if was == "open" else ""
    things = [f"{an(now)} toe", f"{an(closed + now)} toe"]
    if was != "open":
        things.append({"pointed": "a more pointed toe", "round": "a rounder toe", "square": "a squarer toe"}[now])
        things.append(f"{an(now)} toe instead of {an(was)} one")
    return Wording(things=tuple(things))


def _closure(was: str, now: str) -> Wording:
    if now == "slip-on":
        return Wording(states=("a slip-on",), things=(_WITHOUT[was],), bare=(_WITHOUT[was], "slip-on style"))
    things = [_CLOSING[now]]
    if was != "slip-on":
        things.append(f"{_CLOSING[now]} instead of {_CLOSING[was]}")
    state = {
        "laces": ("laced up",),
        "zip": ("zipped up",),
        "buckle": ("fastened with a buckle",),
        "velcro": ("fastened with velcro",),
    }
    return Wording(states=state[now], things=tuple(things))


def _strap(was: str, now: str, buckled: bool) -> Wording:
    if now == "none":
        things = [_NO_STRAP[was]]
        if not buckled:
            things.append("no straps" if was == "crossed" else "no strap")
        return Wording(things=tuple(things))
    things = [_STRAPS[now]]
    if was != "none":
        things.append(f"{_STRAPS[now]} instead of {_STRAPS[was]}")
    return Wording(things=tuple(things))


def _sole(was: str, now: str) -> Wording:
    if SOLES.index(now) < SOLES.index(was):
        return Wording(things=("a thinner sole", "no platform" if was == "platform" else "a thin sole"))
    if now == "platform":
        return Wording(things=("a thicker sole", "a platform sole", "a platform"))
    return Wording(things=("a thicker sole",))


def _ornament(was: str, now: str) -> Wording:
    gone = f"no {was}"
    if now == "none":
        return Wording(things=(gone,))
    things = list(_ORNAMENTS[now])
    if was != "none":
        things.append(f"{_ORNAMENTS[now][0]} instead of {_ORNAMENTS[was][0]}")
    return Wording(things=tuple(things))


def _pattern(was: str, now: str) -> Wording:
    gone = {
        "dots": "no polka dots",
        "stripes": "no stripes",
        "checks": "no checks",
        "floral": "no floral print",
        "animal": "no animal print",
    }
    if now == "plain":
        return Wording(states=("plain", "all plain"), things=(gone[was], "no pattern"), bare=(gone[was], "plain"))
    state, thing = _PATTERNS[now]
    more = (f"{thing} instead of {_PATTERNS[was][1]}",) if was != "plain" else ()
    return Wording(states=(state,), things=(thing, *more))


def _shaft(was: str, now: str, category: str) -> Wording:
    taller = SHAFTS.index(now) > SHAFTS.index(was)
    if category in ("sneakers", "athletic_shoes"):
        if taller:
            return Wording(
                states=("a high-top", "higher at the ankle"), things=("a higher collar", "an ankle-high cut")
            )
        return Wording(states=("low-cut",), things=("a lower collar", "a low cut"))
    height = {"low": "low-cut", "ankle": "ankle-high", "calf": "calf-high", "knee": "knee-high"}[now]
    return Wording(
        states=(height,),
        things=("a taller shaft", "a longer shaft") if taller else ("a shorter shaft", "a lower shaft"),
    )


def wordings(name: str, reference: Mapping[str, str], target: Mapping[str, str]) -> Wording | None:
    """How to word one difference, or nothing where another attribute already says it."""
    was, now = reference[name], target[name]
    simple = {
        "colour": _colour,
        "accent": _accent,
        "material": _material,
        "heel height": _heel_height,
        "heel shape": _heel_shape,
        "toe": _toe,
        "closure": _closure,
        "sole": _sole,
        "ornament": _ornament,
        "pattern": _pattern,
    }
    if name == "category":
        new, old = an(NOUNS[now]), an(NOUNS[was])
        return Wording(
            states=(new, f"{new} instead of {old}", f"{new} rather than {old}"),
            bare=(f"{NOUNS[now]} instead of {NOUNS[was]}",),
        )
    if name == "strap":
        return _strap(was, now, target["closure"] == "buckle")
    if name == "shaft":
        return _shaft(was, now, target["category"])
    return simple[name](was, now)
