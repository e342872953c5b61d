"""What the turns of a dialogue ask for: from the truth, or by a proxy from attribute words.

The proxy, for benchmarks whose images have attribute words and no truth (Multi-turn FashionIQ): a turn asks for an
attribute if its feedback has the very word or phrase, not negated, and the final target has it. It finds a part of the
requests only (no synonyms, no plurals), and what is asked for in passing too.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mtbench.core.types import Transaction
from mtbench.data.truth import Truth
from mtbench.evaluation.study import NotAvailableError, Study

NEGATIONS = frozenset({"no", "not", "without", "less", "fewer", "never"})
"""Before a word, they ask for its absence; and so does what ends in n't."""

_REACH = 3
"""How many words ahead a negation reaches: "no blue stripes", "not as short"."""

_STOPS = frozenset({"but", "and", "with", "more", "instead", ".", ",", ";"})
"""What ends its reach: "not red but blue"."""

_WORD = re.compile(r"[\w'-]+|[.,;]")


@dataclass(frozen=True)
class Requests:
    """Attributes asked for.

    Attributes:
        source: ``truth`` or ``words``.
        asked: for each transaction of the study, the age and the attribute of every request that still stands.
        holders: by attribute, the images that have it.
        known: images whose attributes are known.
        notes: what a reader must know of the source.
    """

    source: str
    asked: Sequence[Sequence[tuple[int, Hashable]]]
    holders: Mapping[Hashable, frozenset[str]] = field(repr=False)
    known: frozenset[str] = field(repr=False)
    notes: Sequence[str] = ()


def requests_of(study: Study) -> Requests:
    """The requests of a study: true ones where the benchmark knows them.

    Of several requests for one attribute, whatever its value, the last one stands. Rollback dialogues ("back to the
    first one") ask for nothing here: what they go back on is no matter of age.

    Raises:
        NotAvailableError: nothing is known of the attributes of the images.
    """
    truth = study.benchmark.truth
    if truth is not None:
        asked = [_true(t, truth) for t in study.transactions]
        holders = _holders((image, values.items()) for image, values in truth.attributes.items())
        known = frozenset(image for image, values in truth.attributes.items() if values)
        return Requests("truth", asked, _only(asked, holders), known)
    words = {name: image.attributes for name, image in study.benchmark.images.items() if image.attributes}
    if not words:
        raise NotAvailableError(f"needs true attributes or attribute words, and {study.benchmark.name} has neither")
    asked = [_worded(t, words.get(t.target, ()), study.protocol.joiner) for t in study.transactions]
    note = (
        "Requests are a proxy here: attribute words of the final target that the feedback of a turn has, not negated. "
        "Images without attribute words are left out of precision and base rate."
    )
    holders = _holders((image, map(tokens, attributes)) for image, attributes in words.items())
    return Requests("words", asked, _only(asked, holders), frozenset(words), [note])


def _true(t: Transaction, truth: Truth) -> list[tuple[int, Hashable]]:
    dialogue = truth.dialogues[t.transaction_id]
    if dialogue.kind == "rollback":
        return []
    last = {name: (turn, value) for turn, asked in enumerate(dialogue.requests) for name, value in asked.items()}
    return [(len(t.turns) - 1 - turn, (name, value)) for name, (turn, value) in last.items()]


def _worded(t: Transaction, attributes: Iterable[str], joiner: str) -> list[tuple[int, Hashable]]:
    texts = [tokens(joiner.join(turn.feedback)) for turn in t.turns]
    found: list[tuple[int, Hashable]] = []
    for phrase in sorted(set(map(tokens, attributes)) - {()}):
        mentions = [(turn, says) for turn, text in enumerate(texts) if (says := mention(phrase, text)) is not None]
        if mentions and mentions[-1][1]:
            found.append((len(texts) - 1 - mentions[-1][0], phrase))
    return found


def tokens(text: str) -> tuple[str, ...]:
    """Words in lower case, and the marks that end a clause."""
    return tuple(_WORD.findall(text.lower().replace("\u2019", "'")))


def mention(phrase: Sequence[str], text: Sequence[str]) -> bool | None:
    """Whether a text asks for a phrase (True), or for its absence (False); None where it does not have it."""
    starts = [i for i in range(len(text) - len(phrase) + 1) if tuple(text[i : i + len(phrase)]) == tuple(phrase)]
    if not starts:
        return None
    return any(not _negated(text[max(0, i - _REACH) : i]) for i in starts)


def _negated(before: Sequence[str]) -> bool:
    for word in reversed(before):
        if word in _STOPS:
            return False
        if word in NEGATIONS or word.endswith("n't"):
            return True
    return False


def _holders(images: Iterable[tuple[str, Iterable[Hashable]]]) -> dict[Hashable, set[str]]:
    found: dict[Hashable, set[str]] = {}
    for image, attributes in images:
        for attribute in attributes:
            found.setdefault(attribute, set()).add(image)
    return found


def _only(
    asked: Sequence[Sequence[tuple[int, Hashable]]], holders: Mapping[Hashable, set[str]]
) -> dict[Hashable, frozenset[str]]:
    """The images of those attributes that are asked for."""
    wanted = {attribute for each in asked for _, attribute in each}
    return {attribute: frozenset(holders.get(attribute, ())) for attribute in wanted}
