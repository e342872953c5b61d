"""A process that does tasks: one line of JSON in, one out. `mtbench.training.jobs` starts it.

It ends as soon as its standard input does, in the midst of a task too: whoever asked is gone.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from mtbench.core.errors import MtbenchError

Task = Mapping[str, Any]

logger = logging.getLogger(__name__)


def function_called(name: str) -> Callable[[Task], dict[str, Any]]:
    """The function that ``module:function`` names."""
    module, _, function = name.partition(":")
    found: Callable[[Task], dict[str, Any]] = getattr(importlib.import_module(module), function)
    return found


def attempt(function: Callable[[Task], dict[str, Any]], task: Task) -> dict[str, Any]:
    """``found``: what a task gave; or ``failed``: why not. A task that fails does not take the others with it."""
    try:
        return {"found": function(task)}
    except MtbenchError as error:
        return {"failed": str(error)}
    except Exception as error:
        logger.exception("a task failed in a way that nobody thought of")
        return {"failed": f"{type(error).__name__}: {error}"}


def main(name: str) -> None:
    """Do tasks until nobody asks any more."""
    logging.basicConfig(format="mtbench: %(message)s", level=logging.WARNING)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no reply
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            asked.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    function = function_called(name)
    while True:
        replies.write(json.dumps(attempt(function, json.loads(asked.get()))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main(sys.argv[1])
