"""The feature store: encode a benchmark once, use the vectors in every model.

>>> encoder = build_encoder("tfidf", {"dims": "64"})
>>> features = encode(benchmark, encoder, "tfidf-64")           # doctest: +SKIP
>>> open_features(benchmark, "tfidf-64").images(["red"]).shape  # doctest: +SKIP
(1, 64)

On disk, in ``BENCHMARK/features/NAME/``: ``features.json`` (how the vectors were made, for which revision),
``images.npy`` and ``texts.npy`` (float32, one row each), ``images.json`` and ``texts.json`` (what the rows
are). Work in progress is in ``.NAME.partial/`` beside it and goes on after a stop; ``.NAME.lock`` keeps a second
process waiting until the first is done.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.files import write_json
from mtbench.core.options import construct
from mtbench.core.registry import ENCODERS
from mtbench.core.types import Image
from mtbench.data.benchmark import Benchmark
from mtbench.features.chunks import Chunks
from mtbench.features.content import Checked, Content, content, training_part
from mtbench.features.imaging import ImageFileError, open_pictures
from mtbench.features.joined import JoinedFeatures
from mtbench.features.lock import alone
from mtbench.features.manifest import make_manifest, read_manifest
from mtbench.features.protocol import PROXIES, Encoder, Remembers
from mtbench.features.stored import LEARNED, StoredFeatures

logger = logging.getLogger(__name__)

METHODS = ("settings", "fit", "encode_images", "encode_texts")


def build_encoder(spec: str, options: Mapping[str, object]) -> Encoder:
    """An encoder by registered name, ``module:Class`` or ``file.py:Class``, with options as typed.

    Raises:
        MtbenchError: no such encoder, options it does not take, or a class that is no encoder.
    """
    encoder: Encoder = construct(ENCODERS.get(spec), options, what=f"encoder {spec!r}")
    missing = [name for name in (*METHODS, "proxy", "reads_text") if not hasattr(encoder, name)]
    if missing:
        raise MtbenchError(f"{spec!r} is no encoder: it has no {', '.join(missing)}")
    if encoder.proxy not in PROXIES:
        raise unknown("image proxy", encoder.proxy, PROXIES)
    return encoder


def encode(
    benchmark: Benchmark,
    encoder: Encoder,
    name: str,
    *,
    folder: Path | None = None,
    batch: int = 256,
    progress: bool = True,
    overwrite: bool = False,
    spec: str | None = None,
) -> StoredFeatures:
    """Encode every image, and every text if the encoder reads text, and store the vectors.

    The encoder learns from the training split alone. A run that was stopped is continued by the same call;
    features that are there with the same key are opened as they are.

    Args:
        benchmark: what to encode.
        encoder: any object of the protocol. For texts that turn up later, when the features are opened by
            name, a registered one is made again from ``spec`` and from its attributes called as its options.
        name: of the features: letters, digits, ``.``, ``_`` and ``-``.
        folder: where features are kept; ``features`` in the benchmark by default.
        batch: images or texts handed to the encoder at once, and saved at once.
        progress: show bars on stderr.
        overwrite: replace features of this name, even if they are the same.
        spec: the name or path that the encoder was asked for by; its class by default.

    Raises:
        MtbenchError: other features have this name, the folder cannot be written, images cannot be read, or
            the encoder gives vectors that are not finite or of changing width.
    """
    check_name(name)
    if batch < 1:
        raise MtbenchError(f"batch must be at least 1, not {batch}")
    root = _root(benchmark, folder)
    wanted = content(benchmark, proxy=encoder.proxy, reads_text=encoder.reads_text)
    if isinstance(encoder, Checked):
        encoder.check(wanted.images, wanted.texts, benchmark.image_folder)
    manifest = make_manifest(benchmark, encoder, name, wanted, spec=spec, progress=progress)
    final = root / name
    if not _is_done(final, manifest["key"], overwrite=overwrite):
        with _alone(root, name):
            if not _is_done(final, manifest["key"], overwrite=overwrite):  # by another process, while this one waited
                _make(benchmark, encoder, wanted, manifest, final, batch=batch, progress=progress)
                return StoredFeatures(benchmark, final, encoder=encoder)
    logger.info("features %s are there already", final)
    return StoredFeatures(benchmark, final, encoder=encoder)


def open_features(benchmark: Benchmark, name: str, *, folder: Path | None = None) -> StoredFeatures | JoinedFeatures:
    """Stored vectors by name; ``A+B`` puts those of A and B side by side (see `JoinedFeatures`).

    Raises:
        MtbenchError: there are no such features, they are damaged, or they do not fit this benchmark.
    """
    parts = name.split("+")
    if len(parts) > 1:
        return JoinedFeatures(tuple(_open_one(benchmark, part, folder) for part in parts))
    return _open_one(benchmark, name, folder)


def names(benchmark: Benchmark, *, folder: Path | None = None) -> list[str]:
    """The names of all stored features, sorted."""
    return sorted(file.parent.name for file in _root(benchmark, folder).glob("[!.]*/features.json"))


def check_name(name: str) -> str:
    """``name`` itself, or an error if it cannot be the name of features."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        raise MtbenchError(f"features cannot be named {name!r}: use letters, digits, '.', '_' and '-'")
    return name


def _open_one(benchmark: Benchmark, name: str, folder: Path | None) -> StoredFeatures:
    check_name(name)
    path = _root(benchmark, folder) / name
    if not path.is_dir():
        known = names(benchmark, folder=folder)
        raise unknown("features", name, known, hint=f"Make some: mtbench encode {benchmark.path} --encoder NAME")
    return StoredFeatures(benchmark, path)


def _root(benchmark: Benchmark, folder: Path | None) -> Path:
    return folder if folder is not None else benchmark.path / "features"


def _is_done(final: Path, key: str, *, overwrite: bool) -> bool:
    """Whether the features are there; an error if something else is, and must not be replaced."""
    if not final.exists():
        return False
    if not (final / "features.json").is_file():
        raise MtbenchError(f"{final} exists, but holds no features. Give another --name")
    if overwrite:
        return False
    if read_manifest(final)["key"] != key:
        raise MtbenchError(
            f"{final} holds features made from other settings, images or texts. Give another --name, or add --overwrite"
        )
    return True


@contextmanager
def _alone(root: Path, name: str) -> Iterator[None]:
    """Keep other processes off the working folder of these features."""
    with ExitStack() as held:
        try:
            held.enter_context(alone(root / f".{name}.lock"))
        except OSError as error:
            raise MtbenchError(f"cannot write {_work(root / name)}: {error.strerror}") from error
        yield


def _make(
    benchmark: Benchmark,
    encoder: Encoder,
    wanted: Content,
    manifest: dict[str, Any],
    final: Path,
    *,
    batch: int,
    progress: bool,
) -> None:
    """Encode in the working folder, and put the whole in its place."""
    chunks = _chunks(_work(final), key=manifest["key"], batch=batch)
    encoder.fit(*training_part(benchmark))
    _encode_images(chunks, wanted, encoder, benchmark.image_folder, progress=progress)
    chunks.run("texts", wanted.texts, encoder.encode_texts, label=_short, progress=progress and encoder.reads_text)
    _publish(chunks, wanted, {**manifest, "dim": chunks.dim}, final, encoder)


def _work(final: Path) -> Path:
    return final.with_name(f".{final.name}.partial")


def _chunks(folder: Path, *, key: str, batch: int) -> Chunks:
    try:
        return Chunks(folder, key=key, batch=batch)
    except OSError as error:
        raise MtbenchError(f"cannot write {folder}: {error.strerror}") from error


def _encode_images(chunks: Chunks, wanted: Content, encoder: Encoder, folder: Path | None, *, progress: bool) -> None:
    try:
        chunks.run(
            "images",
            wanted.images,
            lambda block: encoder.encode_images(block, folder),
            label=lambda image: image.image_id,
            progress=progress,
        )
    except ImageFileError:
        # The rest is read once more only to name every broken file, not those of one block.
        rest: list[Image] = [image for _, block in chunks.pending("images", wanted.images) for image in block]
        for _ in open_pictures(rest, folder):
            pass
        raise


def _publish(chunks: Chunks, wanted: Content, manifest: dict[str, Any], final: Path, encoder: Encoder) -> None:
    """Put the whole together in the working folder, then rename it."""
    whole = chunks.folder / "whole"
    try:
        shutil.rmtree(whole, ignore_errors=True)
        whole.mkdir()
        write_json(whole / "images.json", wanted.image_ids)
        chunks.assemble("images", len(wanted.images), whole / "images.npy")
        if wanted.texts:
            write_json(whole / "texts.json", wanted.texts)
            chunks.assemble("texts", len(wanted.texts), whole / "texts.npy")
        if isinstance(encoder, Remembers):
            (whole / LEARNED).mkdir()
            for name, values in encoder.learned().items():
                np.save(whole / LEARNED / f"{name}.npy", values, allow_pickle=False)
        write_json(whole / "features.json", manifest)
        if final.exists():
            shutil.rmtree(chunks.folder / "replaced", ignore_errors=True)
            final.rename(chunks.folder / "replaced")
        whole.rename(final)
        shutil.rmtree(chunks.folder)
    except OSError as error:
        raise MtbenchError(f"cannot write {final}: {error.strerror}. What is encoded so far is kept") from error


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
