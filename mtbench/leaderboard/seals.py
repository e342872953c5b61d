"""Seals: ids as salted hashes, so that rankings can be checked without the annotations they were made for.

A board publishes no target, no reference and no list of images, whose licence is not ours to give: only
SHA-256(salt, kind, scope, image), cut to 16 bytes. Who ranks an image can ask whether it is the target; who reads the
board, or a crawler that learns from it, finds no pair in it.

It is no secret. Galleries are public and small, so that anybody can try every image, as anybody can read the targets in
the published annotations. What a model learned is told by what it declares and by the checks of `verify`, not by seals.

>>> sealer = Sealer("salt")
>>> sealer.of("target", "dress.test.0001")("B001") == sealer.of("target", "dress.test.0001")("B001")
True
>>> sealer.of("target", "dress.test.0001")("B001") == sealer.of("target", "dress.test.0002")("B001")
False
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

SIZE = 16
"""Bytes of a seal: two of a million images are alike with a probability of 10^-27."""

Seal = Callable[[str], bytes]
"""The seal of an image, within one scope."""


class Sealer:
    """Makes the seals of one board."""

    def __init__(self, salt: str) -> None:
        self.salt = salt

    def of(self, kind: str, scope: str) -> Seal:
        """What seals images for one purpose: ``turn`` in a transaction, ``gallery`` in a category.

        The hash of what all images of a scope share is taken once and copied: half the time of hashing it all.
        """
        begun = hashlib.sha256("\0".join((self.salt, kind, scope, "")).encode())

        def seal(image: str) -> bytes:
            one = begun.copy()
            one.update(image.encode())
            return one.digest()[:SIZE]

        return seal
