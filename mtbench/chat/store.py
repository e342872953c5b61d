"""Moments of dialogues, each under a name that nobody can guess.

A step makes a new moment and leaves the old one as it was: the back button, a reload, and two browsers are safe. The
first moment of a dialogue is not kept: it follows from its name. So whoever only opens the page, a page of another site
in many windows included, pushes nobody's dialogue out. A step needs the name of a moment, which another site cannot
read, and `mtbench.web.guard` refuses what its forms send.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict

from mtbench.chat.dialogue import Dialogue

MOST = 5_000
"""Moments that are kept, the least recently seen go first."""


class Store:
    """Dialogues in memory; they end with the server."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._kept: OrderedDict[str, Dialogue] = OrderedDict()
        self._lock = threading.Lock()
        self._key = secrets.token_bytes(32)

    def begin(self, number: int) -> str:
        """The name of a first moment, about a category by its number; nothing is kept."""
        seed = f"{number}.{secrets.token_urlsafe(9)}"
        return f"{seed}.{self._seal(seed)}"

    def begun(self, name: str) -> int | None:
        """The number that `begin` was given; None where the name is not one of its making."""
        seed, _, seal = name.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(seed).encode()):
            return None
        return int(seed.partition(".")[0])

    def _seal(self, seed: str) -> str:
        return hmac.new(self._key, seed.encode(), hashlib.sha256).hexdigest()[:32]

    def put(self, dialogue: Dialogue) -> str:
        """Keep a moment; returns its name."""
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[name] = dialogue
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return name

    def get(self, name: str) -> Dialogue | None:
        """A moment, or None where there is none, or no longer."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
            return self._kept.get(name)
