"""From what was typed to a server: a benchmark (a shoebox if none is given), systems made ready, an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from filelock import FileLock
from werkzeug.serving import BaseWSGIServer

from mtbench.chat.answers import Answerer, short
from mtbench.chat.app import create_app
from mtbench.chat.save import Saver
from mtbench.core.errors import MtbenchError
from mtbench.core.files import check_folder
from mtbench.core.options import construct
from mtbench.core.registry import BUILDERS
from mtbench.data.benchmark import Benchmark, load
from mtbench.evaluation.ready import ready
from mtbench.web.guard import check_host, hosts_of
from mtbench.web.server import address, listen, server_on

if TYPE_CHECKING:
    from mtbench.data.raw import Builder

PORT = 8000
SHOEBOX = 180
"""Drawn shoes to begin with: they take about three seconds on two processors, and are drawn once."""

BUNDLED: Mapping[str, str] = {"reference_weight": "0.3", "decay": "0.6"}
"""Options of BM25 where nothing was chosen: the shoebox to begin with has too few dialogues to choose on, and a person
wants to see what memory does."""


@dataclass(frozen=True)
class ChatSettings:
    """What to serve, and where.

    Attributes:
        models: one or two, as `mtbench evaluate` takes them; BM25 if none.
        benchmark: a folder; None for a small shoebox, made in ``out`` once.
        features, words, split, options: as `mtbench evaluate` takes them.
        host, port: the address; port 0 is any free one, None 8000 or any free one.
        public: let other machines in.
        out: where saved dialogues go.
    """

    models: Sequence[str] = ()
    benchmark: Path | None = None
    features: str | None = None
    words: str | None = None
    split: str = "test"
    options: Mapping[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int | None = None
    public: bool = False
    out: Path = Path("chat")


@dataclass(frozen=True)
class Served:
    """A server that is ready, and what to say of it."""

    server: BaseWSGIServer
    about: str
    saved_to: Path
    problems: Sequence[str]

    @property
    def url(self) -> str:
        """Where the first page is."""
        return address(self.server)


def prepare(settings: ChatSettings, *, progress: bool = False) -> Served:
    """Make everything ready; `mtbench.web.server.run` then serves.

    Raises:
        MtbenchError: what was asked for cannot be served.
    """
    if len(settings.models) > 2:
        raise MtbenchError(f"one model, or two side by side, not {len(settings.models)}")
    check_host(settings.host, public=settings.public)
    check_folder(settings.out)
    with listen(settings.host, *((PORT, 0) if settings.port is None else (settings.port,))) as listening:
        return _prepare(settings, listening, progress=progress)


def _prepare(settings: ChatSettings, listening: socket, *, progress: bool) -> Served:
    benchmark = load(settings.benchmark) if settings.benchmark else small_shoebox(settings.out)
    bundled = {} if settings.models else BUNDLED
    models = settings.models or ("bm25",)
    systems = [
        ready(
            model,
            benchmark,
            split=settings.split,
            features=settings.features,
            words=settings.words,
            options={**bundled, **settings.options},
            progress=progress,
        )
        for model in models
    ]
    known = [
        {"model": one.asked.name, "options": one.asked.shown_options, "source_sha256": one.asked.source_sha256}
        for one in systems
    ]
    saver = Saver(settings.out, benchmark, systems[0].galleries, split=settings.split, models=known)
    names = [short(system.asked.name) for system in systems]
    twice = len(set(names)) < len(names)
    answerers = [Answerer(s, f"{names[n - 1]} ({n})" if twice else "") for n, s in enumerate(systems, 1)]
    problems = [f"{one.name}: {problem}" for one in answerers if (problem := one.warm_up())]
    app = create_app(benchmark, answerers, saver, hosts=hosts_of(settings.host))
    n = sum(len(gallery) for gallery in systems[0].galleries.values())
    about = f"{' and '.join(a.name for a in answerers)} on {benchmark.name}, {n:,} images of {settings.split}"
    return Served(server_on(listening, app), about, saver.path, problems)


def small_shoebox(out: Path) -> Benchmark:
    """The shoebox to begin with, in ``out``; made unless it is there.

    Raises:
        MtbenchError: what is there cannot be read. It may be somebody's own, so it stays.
    """
    from mtbench.data.build import BuildOptions, build

    folder = out / "shoebox"
    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / ".shoebox.lock"):
        if folder.exists():
            try:
                return load(folder)
            except MtbenchError as error:
                raise MtbenchError(
                    f"{error} (without --benchmark a shoebox is drawn to {folder}: remove what is there, or give "
                    "another --out)"
                ) from error
        builder: Builder = construct(BUILDERS.get("shoebox"), {}, what="builder 'shoebox'")
        options = BuildOptions(gallery="all-images", extra={"size": SHOEBOX})
        return build("shoebox", builder, out / "shoebox-drawn", folder, options, progress=False)
