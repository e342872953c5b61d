"""Tasks side by side, in processes of their own: one that dies takes no other with it.

A training uses one thread, so that it gives the same bits everywhere; more processors are for more trainings. A process
does one task after the other, because it takes seconds to start: one line of JSON in, one out. A task that kills its
process has failed; the next one gets a new process. A process ends as soon as its standard input does, in the midst of
a task too: whoever asked is gone.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mtbench.core.errors import MtbenchError

Task = Mapping[str, Any]

logger = logging.getLogger(__name__)


def run_tasks(name: str, tasks: Sequence[Task], *, jobs: int = 1) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and reply of each task, as they end; a reply is ``found`` or ``failed`` as `_attempt` gives it.

    Args:
        name: ``module:function``, from JSON to JSON.
        tasks: what it is called with.
        jobs: so many at once. One is done in this process.
    """
    if jobs == 1 or not tasks:
        function = _function_called(name)
        for number, task in enumerate(tasks):
            yield number, _attempt(function, task)
        return
    crew = _Crew(name, tasks, min(jobs, len(tasks)))
    try:
        for _ in tasks:
            yield crew.ended.get()
    finally:  # all is done, or somebody pressed Ctrl-C
        crew.stop()


class _Crew:
    """Threads that each look after one process."""

    def __init__(self, name: str, tasks: Sequence[Task], jobs: int) -> None:
        self.name = name
        self.ended: queue.SimpleQueue[tuple[int, dict[str, Any]]] = queue.SimpleQueue()
        self._tasks = iter(enumerate(tasks))
        self._processes: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._environment = _environment(jobs)
        for _ in range(jobs):
            threading.Thread(target=self._work, daemon=True).start()

    def stop(self) -> None:
        """End every process, now."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()
        for process in self._processes:
            process.wait()

    def _work(self) -> None:
        process: subprocess.Popen[str] | None = None
        while (taken := self._take()) is not None:
            number, task = taken
            try:
                process = process or self._start()
                reply = _ask(process, task)
            except OSError as error:  # no such process can be started
                reply = {"failed": f"its process cannot be started: {error}"}
            if process is not None and process.poll() is not None:
                process = None
            self.ended.put((number, reply))

    def _take(self) -> tuple[int, Task] | None:
        with self._lock:
            return None if self._stopped else next(self._tasks, None)

    def _start(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise OSError("stopped")
            process = subprocess.Popen(
                [sys.executable, "-m", "mtbench.training.jobs", self.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the process that asked, which ends the others
            )
            self._processes.add(process)
            return process


def _ask(process: subprocess.Popen[str], task: Task) -> dict[str, Any]:
    """The reply of a process; a failure where it dies of the task."""
    assert process.stdin and process.stdout
    try:
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # it is dead, and there is no reply to read
    line = process.stdout.readline()
    if line.endswith("\n"):
        reply: dict[str, Any] = json.loads(line)
        return reply
    process.kill()
    code = process.wait()
    if code < 0:
        name = signal.Signals(-code).name
        return {"failed": f"its process was killed ({name}){', for lack of memory perhaps' * (name == 'SIGKILL')}"}
    return {"failed": f"its process ended with status {code}"}


def _environment(jobs: int) -> dict[str, str]:
    """What a process gets: the same places to import from, and its share of the processors for linear algebra."""
    share = str(max(1, (os.cpu_count() or 1) // jobs))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), share)
    paths = os.pathsep.join(path or os.curdir for path in sys.path)
    return {**threads, **os.environ, "PYTHONPATH": paths}


def _function_called(name: str) -> Callable[[Task], dict[str, Any]]:
    """The function that ``module:function`` names."""
    module, _, function = name.partition(":")
    found: Callable[[Task], dict[str, Any]] = getattr(importlib.import_module(module), function)
    return found


def _attempt(function: Callable[[Task], dict[str, Any]], task: Task) -> dict[str, Any]:
    """``found``: what a task gave; or ``failed``: why not. A task that fails does not take the others with it."""
    try:
        return {"found": function(task)}
    except MtbenchError as error:
        return {"failed": str(error)}
    except Exception as error:
        logger.exception("a task failed in a way that nobody thought of")
        return {"failed": f"{type(error).__name__}: {error}"}


def _serve(name: str) -> None:
    """Do tasks until nobody asks any more: all that such a process does."""
    logging.basicConfig(format="mtbench: %(message)s", level=logging.WARNING)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no reply
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            asked.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    function = _function_called(name)
    while True:
        replies.write(json.dumps(_attempt(function, json.loads(asked.get()))) + "\n")
        replies.flush()


if __name__ == "__main__":
    _serve(sys.argv[1])
