"""Moments of dialogues, each under a name that nobody can guess.

A step makes a new moment and leaves the old one as it was: the back button, a reload, and two browsers are safe, and a
page of another site, which does not know the name, can do nothing.
"""

from __future__ import annotations

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
