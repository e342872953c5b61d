"""What a model makes of a gallery once, and needs again for the next histories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from mtbench.models.protocol import Catalogue

T = TypeVar("T")


class PerGallery(Generic[T]):
    """Keeps what was made of each gallery, as long as the catalogue is the same.

    >>> lengths = PerGallery(lambda image_ids, catalogue: [len(catalogue.text(image)) for image in image_ids])
    >>> lengths.of(["a.jpg", "b.jpg"], catalogue)  # doctest: +SKIP
    [21, 17]

    Args:
        make: it, from the images of a gallery.
    """

    def __init__(self, make: Callable[[Sequence[str], Catalogue], T]) -> None:
        self._make = make
        self._catalogue: Catalogue | None = None
        self._made: dict[tuple[str, ...], T] = {}

    def of(self, image_ids: Sequence[str], catalogue: Catalogue) -> T:
        """What was made of these images, now or before."""
        if self._catalogue is not catalogue:  # the same ids may stand for other images there
            self.forget()
            self._catalogue = catalogue
        images = tuple(image_ids)
        if images not in self._made:
            self._made[images] = self._make(images, catalogue)
        return self._made[images]

    def forget(self) -> None:
        """Drop everything, because the model that it was made with has changed."""
        self._catalogue, self._made = None, {}
