"""What is known for certain about a benchmark whose images were made, not photographed.

Attributes of every image, what each turn asks for, every image that fulfils a dialogue: what an evaluator needs to say
whether a model did what it was told. No model sees it, unless it says so (`mtbench.models.protocol.Catalogue.truth`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mtbench.core.errors import Problems
from mtbench.core.types import Gallery, Transaction

Attributes = Mapping[str, str]
"""Values by the name of the attribute."""


@dataclass(frozen=True)
class Dialogue:
    """The truth about one transaction.

    Attributes:
        requests: per turn, the values its feedback asks for; empty for a turn that asks for nothing.
        relevant: every image of the gallery that fulfils the dialogue, the target among them, sorted.
        kind: ``plain``, or what is special: ``supersede`` (a later wish replaces an earlier one), ``rollback`` (back
            to an earlier image), ``reordered`` (a copy of another dialogue with its earlier turns in another order).
        last_turn: how many images of the gallery are consistent with the last reference and feedback alone; None
            where nobody counted.
        block: what the dialogue was designed together with, and so is no independent evidence beside; None where
            each stands for itself.
    """

    requests: tuple[Attributes, ...]
    relevant: tuple[str, ...]
    kind: str = "plain"
    last_turn: int | None = None
    block: str | None = None

    @property
    def contradicts_itself(self) -> bool:
        """Whether two turns ask for different values of one attribute."""
        asked: dict[str, str] = {}
        return any(asked.setdefault(name, value) != value for turn in self.requests for name, value in turn.items())


@dataclass(frozen=True)
class Truth:
    """The truth about a benchmark.

    Attributes:
        attributes: of every image, by id.
        dialogues: by transaction id.
    """

    attributes: Mapping[str, Attributes]
    dialogues: Mapping[str, Dialogue]

    def without_answers(self) -> Truth:
        """What an oracle may read: the attributes of the images. The dialogues name their answers."""
        return Truth(self.attributes, {})


@dataclass(frozen=True)
class RawTruth:
    """The truth as a builder knows it: about pairs that are yet to be chained, or about finished sessions.

    Attributes:
        attributes: of every image, by id.
        requests: what the feedback of a pair asks for, by pair id.
        dialogues: by id of the finished session. `Dialogue.relevant` is left empty: it depends on the gallery.
    """

    attributes: Mapping[str, Attributes]
    requests: Mapping[str, Attributes] = field(default_factory=dict)
    dialogues: Mapping[str, Dialogue] = field(default_factory=dict)


def truth_of(
    raw: RawTruth,
    parts: Mapping[str, Sequence[Transaction]],
    galleries: Mapping[tuple[str, str], Gallery],
    images: Iterable[str],
) -> Truth:
    """The truth about a benchmark: a dialogue is fulfilled by every candidate with the attributes of its target.

    Args:
        raw: what the builder handed over.
        parts: the transactions by split.
        galleries: by (split, category).
        images: every image of the benchmark.

    Raises:
        MtbenchError: an image without attributes, a pair or session of which nothing is known, or whose number of
            turns is another; every one of them.
    """
    problems = Problems("the truth that the builder hands over")
    known = {image: dict(sorted(raw.attributes.get(image, {}).items())) for image in sorted(set(images))}
    for image, attributes in known.items():
        if not attributes:
            problems.add(image, "the image has no attributes")
    alike = {key: _alike(gallery, known) for key, gallery in galleries.items()}
    dialogues = {}
    for split, transactions in parts.items():
        for transaction in transactions:
            found = _dialogue(transaction, raw, problems)
            look = tuple(known.get(transaction.target, {}).items())
            relevant = alike.get((split, transaction.category), {}).get(look, [])
            dialogues[transaction.transaction_id] = replace(found, relevant=tuple(relevant))
    problems.raise_if_any()
    return Truth(known, dict(sorted(dialogues.items())))


def _alike(gallery: Gallery, known: Mapping[str, Attributes]) -> dict[tuple[tuple[str, str], ...], list[str]]:
    """The candidates by their attributes, each list sorted."""
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for image in gallery.image_ids:
        found.setdefault(tuple(known.get(image, {}).items()), []).append(image)
    return found


def _dialogue(transaction: Transaction, raw: RawTruth, problems: Problems) -> Dialogue:
    name = transaction.transaction_id
    if name in raw.dialogues:
        found = raw.dialogues[name]
        if len(found.requests) != len(transaction.turns):
            problems.add(name, f"requests of {len(found.requests)} turns, but it has {len(transaction.turns)}")
        return found
    lacking = [pair for pair in transaction.source_pairs if pair not in raw.requests]
    if lacking or len(transaction.source_pairs) != len(transaction.turns):
        problems.add(name, f"nothing is known of {', '.join(lacking) or 'its pairs'}")
    return Dialogue(tuple(raw.requests.get(pair, {}) for pair in transaction.source_pairs), ())
