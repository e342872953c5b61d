"""Seals: ids as salted hashes, so that rankings can be checked without the annotations they were made for.

Annotations have licences that are not ours to give. A board holds SHA-256(salt, kind, scope, image), cut to 16 bytes,
in their place: who ranks an image can ask whether it is the target.

Seals spare us publishing annotations, and keep nothing secret. The target that a listed system found can be read off
its ranking with ``scores.json``, which says how many images stand above it, and the ids of the galleries can be read
off the runs. What the files do not hold are references, words, and targets that nobody found; and galleries are public
and small, so that anybody can try every image. What a model learned is told by what it declares, not by seals.

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
