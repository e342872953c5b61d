"""From result folders to a page that listens."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.comparison.comparable import printable, read_results
from mtbench.evaluation.comparison.systems import has_leak
from mtbench.evaluation.leak_picture import names_of
from mtbench.features.needs import need
from mtbench.study.app import create_app, is_local
from mtbench.study.design import PAIRWISE, THREE_WAY, Design
from mtbench.study.pictures import Pictures
from mtbench.study.store import Store
from mtbench.study.tops import draw, read_tops

MOST = 1000
LOCAL = ("127.0.0.1", "localhost", "::1")


def design_of(
    paths: Sequence[Path], benchmark: Benchmark, *, questions: int = 50, seed: int = 0, pairwise: bool = False
) -> Design:
    """Draw the questions of a study.

    Args:
        paths: folders of two or three results, all of one task.
        benchmark: what they are of.
        questions: how many, at most.
        seed: of the draw and all orders.
        pairwise: of three models two at a time, the pairs taking turns, and not all three at once.

    Raises:
        MtbenchError: results that cannot stand side by side, or of another benchmark; nothing to ask.
    """
    if not 1 <= questions <= MOST:
        raise MtbenchError(f"--questions must be 1 to {MOST:,}, not {questions}")
    results, _ = read_results(paths, verb="ask about")
    keys = [result.record["key"] for result in results]
    if len(results) not in (2, 3) or len(set(keys)) < len(keys):
        given = ", ".join(result.folder.name for result in results)
        raise MtbenchError(f"give the folders of two or three different results, not {len(results)} ({given})")
    first = results[0].record
    if benchmark.revision != first["revision"]:
        raise MtbenchError(
            f"{benchmark.path} has revision {benchmark.revision[:12]}, and the results are of "
            f"{printable(first['revision'][:12])}; give their benchmark, or evaluate again"
        )
    records = [result.record for result in results]
    short = names_of(records)
    names = [printable(name) + " LEAK" * has_leak(record) for name, record in zip(short, records, strict=True)]
    about = {
        "benchmark": printable(first["benchmark"]),
        "revision": benchmark.revision,
        "split": first["split"],
    }
    return draw(
        results,
        [read_tops(result.folder) for result in results],
        Pictures(benchmark).look,
        about,
        names=names,
        count=questions,
        seed=seed,
        way=PAIRWISE if pairwise or len(results) == 2 else THREE_WAY,
    )


def serve(
    design: Design,
    benchmark: Benchmark,
    out: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    public: bool = False,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Answer until the process is stopped.

    Args:
        design, benchmark: what to ask, and what it is of.
        out: the file of answers; one of the same study goes on.
        host: the address to bind to.
        port: 0 for any that is free.
        public: allow an address that other machines reach, under any name.
        ready: called with the address once it listens.

    Raises:
        MtbenchError: an address that may not or cannot be used, a file of something else, Flask is missing.
    """
    need("flask", extra="chat")
    if not public and not is_local(host):
        raise MtbenchError(f"--host {host} lets other machines in: add --public if that is what you want")
    store = Store(out, design)
    app = create_app(store, benchmark, hosts=None if public else sorted({*LOCAL, host}))
    with closing(listen(host, port)) as listening:
        server = make_server(app, listening)
        stop = threading.Event()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
        worker = threading.Thread(target=server.serve_forever, daemon=True)
        worker.start()
        ready(f"http://{_in_address(listening.getsockname())}/")
        try:
            while not stop.wait(3600):
                pass
        except KeyboardInterrupt:
            pass
        server.shutdown()


def make_server(app: Any, listening: socket.socket) -> Any:
    """A server with a thread for each request, on a socket that listens."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no list of who asked for what
    host, port = listening.getsockname()[:2]
    serving = need("werkzeug.serving", extra="chat")
    return serving.make_server(host, port, app, threaded=True, fd=listening.fileno())


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(64)
    except (OSError, OverflowError) as error:
        raise MtbenchError(f"cannot listen on {host} port {port}: {error}; give another --port") from error
    return found


def _in_address(name: tuple[Any, ...]) -> str:
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
