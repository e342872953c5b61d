"""What a system answers in a dialogue: the images it finds, and where the wanted one stands after every turn."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TypeAlias

from mtbench.core.errors import MtbenchError
from mtbench.core.source import blame
from mtbench.core.types import History
from mtbench.evaluation.ranker import Ranker
from mtbench.evaluation.ready import Ready
from mtbench.web.kept import Kept

logger = logging.getLogger(__name__)

TOP = 10
LONGEST_REASON = 300
KEPT = 512
"""Answers that a system remembers, the least recently asked for go first: some 1 MB."""

PATIENCE = 60.0
"""Seconds that a question waits for the one before."""

Place: TypeAlias = str
"""Where an image stands: ``3``, ``3-5`` of those that score the same, ``shown`` once it was on the table, ``-``."""


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        name: of the system.
        images: the best that the dialogue has not shown yet.
        places: of the wanted image after every turn; empty where none is wanted.
        candidates: how many images were ranked after the last turn.
        milliseconds: that it took.
        problem: why there is no answer.
    """

    name: str
    images: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    candidates: int = 0
    milliseconds: float = 0.0
    problem: str = ""


class Answerer:
    """A system that answers one dialogue at a time, remembers what it said, and survives its own mistakes.

    A page is seen more often than something is said: it is reloaded, saved, or another step could not be done. Then the
    system is not asked again, and nobody waits for somebody else's turn. An answer that failed is not remembered.

    Args:
        system: what is asked.
        name: to call it by.
        most: answers that are remembered.
        patience: seconds after which somebody who waits is told so: a model may never come back.
    """

    def __init__(self, system: Ready, name: str = "", most: int = KEPT, patience: float = PATIENCE) -> None:
        self.system = system
        self.name = name or short(system.asked.name)
        self._ranker: Ranker = system.ranker()
        self._lock = threading.Lock()  # models keep indices and caches, and know nothing of threads
        self.patience = patience
        self._kept: Kept[tuple[History, str | None], Answer] = Kept(most)

    def warm_up(self) -> str:
        """Embed the galleries now; what went wrong, if anything did: the page says it again.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        said = "show me something else"
        first = [History(name, (g.image_ids[0],), (said,)) for name, g in self.system.galleries.items()]
        return next((problem for problem in (self.answer(one).problem for one in first) if problem), "")

    def answer(self, history: History, target: str | None = None) -> Answer:
        """The answer to a dialogue of at least one turn; never an exception, but Ctrl-C in the main thread."""
        known = self._kept.get((history, target))
        if known is not None:
            return known
        if not self._lock.acquire(timeout=self.patience):
            return Answer(self.name, problem="It is still busy with another question. Try again in a while.")
        try:
            known = self._kept.get((history, target))  # somebody else may have asked meanwhile
            if known is not None:
                return known
            with blame(self.system.asked.plugin):
                start = time.perf_counter()
                images, places, candidates = self._ask(history, target)
                took = 1000 * (time.perf_counter() - start)
            return self._kept.put((history, target), Answer(self.name, images, places, candidates, took))
        except BaseException as error:
            # Signals reach the main thread alone: elsewhere it is the model that raises even this
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise
            if not isinstance(error, MtbenchError):
                logger.warning("%s failed", self.name, exc_info=True)
            return Answer(self.name, problem=_reason(error))
        finally:
            self._lock.release()

    def _ask(self, history: History, target: str | None) -> tuple[tuple[str, ...], tuple[Place, ...], int]:
        """One call for all turns if an image is wanted, else for the last one."""
        asked = [history] if target is None else [history.first(n + 1) for n in range(len(history))]
        depth = TOP + len(set(history.references))
        found = self._ranker.ask(asked, [[target or ""]] * len(asked), depth=depth)
        _, ranks = found[history.category]
        assert ranks.top is not None  # a depth was asked for
        gallery = self.system.galleries[history.category].image_ids
        head = [gallery[k] for k in ranks.top[-1] if k >= 0]
        images = tuple(image for image in head if image not in history.references)[:TOP]
        above, equal, of = ranks.excluded.greater, ranks.excluded.equal, ranks.excluded.candidates
        if target is None:
            return images, (), int(of[-1])
        places = [
            "shown" if target in one.references else _place(int(above[n]), int(equal[n])) for n, one in enumerate(asked)
        ]
        return images, tuple(places), int(of[-1])


def short(name: str) -> str:
    """The name of a system without the folders of its file."""
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2] or name


def _place(above: int, equal: int) -> Place:
    if equal == 0:
        return "-"
    return f"{above + 1:,}" if equal == 1 else f"{above + 1:,}-{above + equal:,}"


def _reason(error: BaseException) -> str:
    text = str(error) if isinstance(error, MtbenchError) else f"{type(error).__name__}: {error}".rstrip(": ")
    text = text.encode(errors="replace").decode()  # half of a pair of signs (a surrogate) can be sent to nobody
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + " ..."
