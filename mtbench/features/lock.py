"""One process at a time: the others wait, and find the work done."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` for a block; whoever comes second waits.

    The system frees the lock of a process that dies. The empty file stays: to delete it would let a third
    process in beside one that waits. Where the file system knows no locks, a warning says so and work goes on.

    Raises:
        OSError: the folder of ``path`` cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.warning("another process encodes these features (%s): waiting for it", path)
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        logger.warning("%s cannot be locked (%s): encode these features in one process at a time", path, error)
    try:
        yield
    finally:
        lock.release()
