"""From result folders to a page that listens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from mtbench.core.errors import MtbenchError
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.comparison.comparable import printable, read_results
from mtbench.evaluation.comparison.systems import has_leak
from mtbench.evaluation.leak_picture import names_of
from mtbench.study.app import create_app
from mtbench.study.design import PAIRWISE, THREE_WAY, Design
from mtbench.study.store import Store
from mtbench.study.tops import Look, draw, read_tops, shown_in
from mtbench.web.guard import check_host, hosts_of
from mtbench.web.pictures import Pictures
from mtbench.web.server import listen, run, server_on

MOST = 1000


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
    shown = shown_in(benchmark.transactions(str(first["split"])))
    return draw(
        results,
        [read_tops(result.folder, shown) for result in results],
        look_of(Pictures(benchmark)),
        about,
        names=names,
        count=questions,
        seed=seed,
        way=PAIRWISE if pairwise or len(results) == 2 else THREE_WAY,
    )


def look_of(pictures: Pictures) -> Look:
    """What people see of an image: the bytes of its picture, or else its words."""

    def look(image_id: str) -> Hashable | None:
        found = pictures.jpeg(image_id)
        return hashlib.sha256(found).digest() if found is not None else pictures.words(image_id) or None

    return look


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
        MtbenchError: an address that may not or cannot be used, a file of something else.
    """
    check_host(host, public=public)
    with listen(host, port) as listening:
        server = server_on(listening, create_app(Store(out, design), benchmark, hosts=hosts_of(host)))
    run(server, ready)
