"""Worker processes whose memory is limited: what one file does to its reader ends that reader alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias, TypeVar

MEMORY = 3 << 30
"""Bytes that a worker may ask for beyond what it begins with, where the system can hold it to that."""
_AT_ONCE = 10
"""Submissions whose intervals are drawn together."""

Job: TypeAlias = tuple[Path, Path]
"""The folder of a board, and that of a submission."""
T = TypeVar("T")
Work: TypeAlias = Callable[[Sequence[Job]], list[T]]
"""Checks submissions of one board; workers import it, so that it is a function of a module."""


def in_order(work: Work[T], jobs_of: Sequence[Job], jobs: int, killed: T) -> Iterator[T]:
    """What ``work`` finds of each submission, in order.

    Args:
        work: checks some submissions.
        jobs_of: all of them, by board.
        jobs: processes; 0 works in this one, without a limit of memory.
        killed: stands for what ends the process that reads it.
    """
    chunks = [list(group) for group in _chunks(jobs_of)]
    if jobs < 1:
        for chunk in chunks:
            yield from work(chunk)
        return
    done = 0
    try:
        for found in _parallel(work, jobs, chunks):
            yield from found
            done += 1
    except BrokenProcessPool:  # a file killed its reader: the others have a right to be read
        for chunk in chunks[done:]:
            for job in chunk:
                try:
                    yield from next(iter(_parallel(work, 1, [[job]])))
                except BrokenProcessPool:
                    yield killed


def _parallel(work: Work[T], jobs: int, chunks: Sequence[Sequence[Job]]) -> Iterator[list[T]]:
    from joblib import Parallel, delayed

    # joblib takes one job for this very process, so that one job is two of which one waits.
    pool = Parallel(n_jobs=max(2, jobs), pre_dispatch=1 if jobs == 1 else "2 * n_jobs", return_as="generator")
    yield from pool(delayed(_limited)(work, chunk) for chunk in chunks)


def _limited(work: Work[T], chunk: Sequence[Job]) -> list[T]:
    with limit_memory():
        return work(chunk)


def _chunks(jobs_of: Sequence[Job]) -> Iterator[list[Job]]:
    """Some submissions of one board at a time: their intervals are drawn together."""
    for _, group in groupby(jobs_of, key=itemgetter(0)):
        rows = list(group)
        yield from (rows[i : i + _AT_ONCE] for i in range(0, len(rows), _AT_ONCE))


@contextmanager
def limit_memory() -> Iterator[None]:
    """Hold this process to `MEMORY` more than it has; where the system has no such limit, go on without.

    Only for a while: a worker of joblib may be asked for something else later.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most if soft == resource.RLIM_INFINITY else min(most, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
