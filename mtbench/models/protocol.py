"""What a model is. Two shapes, both protocols; neither needs a base class, and neither ever receives a target.

>>> class Shortest:
...     '''Ranks images by the length of their caption.'''
...     def score(self, histories, image_ids, catalogue):
...         lengths = [-len(catalogue.text(i)) for i in image_ids]
...         return np.tile(np.array(lengths, np.float32), (len(histories), 1))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History, Image
from mtbench.data.truth import Truth
from mtbench.features.protocol import PROXIES, image_text

Array: TypeAlias = npt.NDArray[np.float32]

BLANK = ""
"""The image that shows nothing: no words, no file, a zero vector. An evaluator puts it in the place of a reference."""


class Features(Protocol):
    """Vectors of images and texts, from a feature store."""

    @property
    def proxy(self) -> str:
        """What stood for the images, one of `PROXIES`."""
        ...

    @property
    def reads_text(self) -> bool:
        """Whether texts have vectors too."""
        ...

    def images(self, image_ids: Sequence[str]) -> Array:
        """Vectors of images, float32 (n, dim)."""
        ...

    def texts(self, texts: Sequence[str]) -> Array:
        """Vectors of texts, float32 (n, dim)."""
        ...

    def describe(self) -> dict[str, Any]:
        """What a result record says of them."""
        ...


class Catalogue:
    """Everything a model may look up about images: words, files, vectors. It holds no transaction.

    It notes which of these were looked at, so that every result can say what stood for the images.

    Args:
        images: every image of the benchmark by id.
        words: which words stand for an image: ``caption``, ``attributes``, or ``caption+attributes``.
        features: opens the vectors of images and texts, on first use.
        joiner: what the protocol puts between two captions to make one text.
        truth: gives what is known for certain about the benchmark, if anything is.
    """

    def __init__(
        self,
        images: Mapping[str, Image],
        *,
        words: str = "caption",
        features: Callable[[], Features] | None = None,
        joiner: str = " and ",
        truth: Callable[[], Truth | None] | None = None,
    ) -> None:
        self.words = words
        self.joiner = joiner
        self._images = images
        self._open = features
        self._used: set[str] = set()
        self._unnoted = truth
        self._truth = self._noted(truth)

    @cached_property
    def features(self) -> Features:
        """The vectors. Raises MtbenchError where none were given."""
        if self._open is None:
            raise MtbenchError("this model reads features, but none were given. Add --features NAME")
        found = self._open()
        self._used.add(found.proxy)
        return found

    @cached_property
    def truth(self) -> Truth:
        """The true attributes and requests. For oracles only: it shows in the result as the proxy ``truth``.

        Raises:
            MtbenchError: nothing is known for certain about this benchmark.
        """
        found = self.known_truth()
        if found is None:
            raise MtbenchError("this model reads the true attributes, which this benchmark does not have")
        return found

    def known_truth(self) -> Truth | None:
        """The same; None where nothing is known for certain."""
        return self._truth()

    def _noted(self, truth: Callable[[], Truth | None] | None) -> Callable[[], Truth | None]:
        """The same, so that nobody gets the truth without a trace in the result."""

        def give() -> Truth | None:
            found = truth() if truth else None
            if found is not None:
                self._used.add("truth")
            return found

        return give

    @property
    def proxy(self) -> str:
        """What has stood for the images so far: ``none``, or one of `PROXIES`, or several joined by ``+``."""
        used = {part for name in self._used for part in name.split("+")}
        return "+".join(sorted(used, key=PROXIES.index)) or "none"  # "caption+attributes", as features call it

    def part(self, image_ids: Iterable[str]) -> Catalogue:
        """A catalogue of some images alone, which keeps notes of its own: for a user who talks with the model."""
        images = {image: self._images[image] for image in sorted({*image_ids} - {BLANK})}

        def truth() -> Truth | None:
            known = self._unnoted() if self._unnoted else None
            return known and Truth({image: known.attributes[image] for image in images}, {})

        return Catalogue(images, words=self.words, features=lambda: self.features, joiner=self.joiner, truth=truth)

    @property
    def images(self) -> Mapping[str, Image]:
        """Every image by id. Who looks at one asks for it by `image`, `text` or `attributes`, which take note."""
        return self._images

    def image(self, image_id: str) -> Image:
        """The record of an image: caption, attribute words, path of the file."""
        if image_id == BLANK:
            return Image(BLANK, "")
        self.text(image_id)
        if self._images[image_id].path:
            self._used.add("image")
        return self._images[image_id]

    def text(self, image_id: str) -> str:
        """The words that stand for an image; empty where it has none."""
        if image_id == BLANK:
            return ""
        words = image_text(self._images[image_id], self.words)
        if words:
            self._used.add(self.words)
        return words

    def attributes(self, image_id: str) -> tuple[str, ...]:
        """The attribute words of an image; none where it has none, or where they are not to stand for it."""
        if image_id == BLANK or "attributes" not in self.words:
            return ()
        found = self._images[image_id].attributes
        if found:
            self._used.add("attributes")
        return found

    def image_features(self, image_ids: Sequence[str]) -> Array:
        """Vectors of images, float32 (n, d)."""
        return _or_zero(image_ids, BLANK, self.features.images)

    def text_features(self, texts: Sequence[str]) -> Array | None:
        """Vectors of texts, float32 (n, d), zero for an empty one; None for features that know images only."""
        return _or_zero(texts, "", self.features.texts) if self.features.reads_text else None


@dataclass(frozen=True)
class Fold:
    """Transactions with their answers, to learn from: the training or the dev part, never the test part.

    Attributes:
        histories: what is seen, one per transaction.
        targets: the answers in the same order: the target of every turn, the final one last.
        galleries: by category, candidates that may be learned from: of those that test has too, only what is a target
            here, or a model could learn in advance what it will be asked for.
        measures: ``R@5``, ``R@8`` and their ``mean`` of a model on this fold, 0..1, macro over categories, from the
            same exact ranking as the evaluation.
        single_turns: the same with every distinct turn as a transaction of its own, for what is trained on turns.
        said: the texts of every turn, apart, where histories have them joined; empty where there is one for each.
    """

    histories: Sequence[History]
    targets: Sequence[tuple[str, ...]]
    galleries: Mapping[str, Gallery]
    measures: Callable[[Any], Mapping[str, float]]
    single_turns: Callable[[], Fold]
    said: Sequence[tuple[tuple[str, ...], ...]] = ()

    def score(self, model: Any) -> float:
        """The headline measure, by which options are chosen."""
        return self.measures(model)["mean"]


class EmbeddingModel(Protocol):
    """Maps histories and images to vectors; images are ranked by cosine or dot product."""

    similarity: str
    """``cosine`` or ``dot``."""

    def embed_histories(self, histories: Sequence[History], catalogue: Catalogue) -> Array:
        """Query vectors, float32 (B, d). A row depends on its own history alone."""
        ...

    def embed_images(self, image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Candidate vectors, float32 (G, d)."""
        ...


class ScoringModel(Protocol):
    """Scores every candidate for every history: for models whose query depends on the candidate."""

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Scores, float32 (B, G), higher is better. Called on blocks of histories of one category."""
        ...


class Trainable(Protocol):
    """A model that learns, or chooses its options, before it is evaluated."""

    def fit(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Mapping[str, Any]:
        """Learn from ``train``, choose on ``dev``; returns what was chosen, for the result record."""
        ...


class Stepwise(Protocol):
    """An embedding model that answers turn by turn, at a cost that does not grow with the history."""

    def step(self, turn: History, state: Any, catalogue: Catalogue) -> tuple[Array, Any]:
        """The vector after one more turn, float32 (1, d), and the state to hand in with the next; None at first.

        All that is remembered is in the state, so that many dialogues can be live at once.
        """
        ...


Model: TypeAlias = EmbeddingModel | ScoringModel


def _or_zero(names: Sequence[str], blank: str, vectors_of: Callable[[Sequence[str]], Array]) -> Array:
    """The vectors of what is not blank, and zero for what is."""
    if blank not in names:
        return vectors_of(names)
    shown = [row for row, name in enumerate(names) if name != blank]
    some = vectors_of([names[row] for row in shown])
    vectors = np.zeros((len(names), some.shape[1]), dtype=np.float32)
    vectors[shown] = some
    return vectors
