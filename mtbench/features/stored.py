"""Vectors read back from disk, mapped into memory: opening costs nothing, whatever the size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.options import construct
from mtbench.core.registry import ENCODERS
from mtbench.data.benchmark import Benchmark
from mtbench.features.content import Content, content, training_part
from mtbench.features.manifest import command_to_encode, key_of, read_manifest
from mtbench.features.protocol import Array, Encoder, Remembers

SAMPLE = 8
"""How many stored texts a rebuilt encoder has to reproduce before its vectors are mixed with stored ones."""

LEARNED = "learned"
"""The folder with what an encoder learned, an array a file."""


class StoredFeatures:
    """The vectors of one encoder for one benchmark; satisfies `mtbench.models.protocol.Features`.

    Args:
        benchmark: what was encoded.
        path: the folder.
        encoder: what to ask for texts that are not stored; made again from ``features.json`` by default, which
            works for registered encoders.

    Attributes:
        name: the name of the folder.
        proxy: what stood for the images.
        reads_text: whether `texts` works.
        dim: the size of a vector.

    Raises:
        MtbenchError: damaged, or made for another revision or other captions of the benchmark.
    """

    def __init__(self, benchmark: Benchmark, path: Path, *, encoder: Encoder | None = None) -> None:
        self.path = path
        self._given = encoder
        self.name = path.name
        self._benchmark = benchmark
        self.manifest = read_manifest(path)
        self.proxy: str = self.manifest["proxy"]
        self.reads_text: bool = self.manifest["reads_text"]
        self.dim: int = self.manifest["dim"]
        self._extra: dict[str, Array] = {}
        stored = self._check_fits(benchmark)
        self._image_rows = {image_id: row for row, image_id in enumerate(stored.image_ids)}
        self._text_rows = {text: row for row, text in enumerate(stored.texts)}
        self._images = self._open("images.npy", len(self._image_rows))
        self._texts = self._open("texts.npy", len(self._text_rows)) if self._text_rows else None

    def __repr__(self) -> str:
        return f"StoredFeatures({self.name!r}, proxy={self.proxy!r}, dim={self.dim})"

    def images(self, image_ids: Sequence[str]) -> Array:
        """Vectors of images, float32 (n, dim). Raises MtbenchError with every id that is not stored."""
        problems = Problems(f"features {self.name!r}")
        for image_id in image_ids:
            if image_id not in self._image_rows:
                problems.add(image_id, "no such image")
        problems.raise_if_any()
        return np.asarray(self._images[[self._image_rows[i] for i in image_ids]])

    def texts(self, texts: Sequence[str]) -> Array:
        """Vectors of texts, float32 (n, dim). Texts that are not stored are encoded now, and kept in memory.

        Raises:
            MtbenchError: the features know no texts, or the encoder cannot be made again as it was.
        """
        if not self.reads_text:
            raise MtbenchError(f"features {self.name!r} ({self.proxy}) know images only, no texts")
        new = [t for t in dict.fromkeys(texts) if t not in self._text_rows and t not in self._extra]
        if new:
            self._extra.update(zip(new, self._encode(self._encoder, new), strict=True))
        found = np.empty((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            known = self._text_rows.get(text)
            found[row] = self._extra[text] if known is None or self._texts is None else self._texts[known]
        return found

    def describe(self) -> dict[str, Any]:
        """What a result record says of its features."""
        encoder = self.manifest["encoder"]["spec"]
        kept = {part: self.manifest[part] for part in ("settings", "proxy", "dim", "key")}
        return {"name": self.name, "encoder": encoder, **kept}

    def _check_fits(self, benchmark: Benchmark) -> Content:
        hint = f"Encode again: {command_to_encode(benchmark, self.manifest)}"
        if self.manifest["revision"] != benchmark.revision:
            raise MtbenchError(
                f"{self.path} was encoded for revision {self.manifest['revision'][:12]}, "
                f"but {benchmark.path} has {benchmark.revision[:12]}. {hint}"
            )
        if key_of(self.manifest) != self.manifest["key"]:
            raise MtbenchError(f"{self.path / 'features.json'} was changed after the encoding. {hint}")
        stored = content(benchmark, proxy=self.proxy, reads_text=self.reads_text)
        if stored.sha256 != self.manifest["content"]:
            raise MtbenchError(
                f"{self.path} was encoded from other images, words or texts than {benchmark.path} has. {hint}"
            )
        return stored

    def _open(self, file: str, rows: int) -> Array:
        path = self.path / file
        try:
            vectors: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise MtbenchError(f"{path} is damaged ({error}). {self._again}") from error
        if vectors.shape != (rows, self.dim) or vectors.dtype != np.float32:
            found = f"{vectors.dtype} {vectors.shape}"
            raise MtbenchError(f"{path} is damaged: {found}, not float32 {(rows, self.dim)}. {self._again}")
        return vectors

    @property
    def _again(self) -> str:
        return f"Encode again: {command_to_encode(self._benchmark, self.manifest)}"

    @cached_property
    def _encoder(self) -> Encoder:
        """The encoder made and fitted as it was, and tried on stored texts."""
        what = f"features {self.name!r}: a text that is not stored"
        try:
            encoder = self._given if self._given is not None else self._made_again()
        except MtbenchError as error:
            raise MtbenchError(f"{what} needs its encoder, which cannot be made again: {error}") from error
        if not self._recalled(encoder):
            encoder.fit(*training_part(self._benchmark))
        sample = list(self._text_rows)[:SAMPLE]
        if sample and not np.allclose(self._encode(encoder, sample), self.texts(sample), atol=1e-3):
            changed = {k: v for k, v in encoder.settings().items() if self.manifest["settings"].get(k) != v}
            raise MtbenchError(f"{what} needs its encoder, which now gives other vectors {changed}. {self._again}")
        return encoder

    def _recalled(self, encoder: Encoder) -> bool:
        """Hand the encoder what it learned when it made these vectors, where that was kept."""
        files = sorted((self.path / LEARNED).glob("*.npy"))
        if not files or not isinstance(encoder, Remembers):
            return False
        try:
            encoder.recall({file.stem: np.load(file, allow_pickle=False) for file in files})
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise MtbenchError(f"{self.path / LEARNED} is damaged ({error!r}). {self._again}") from error
        return True

    def _made_again(self) -> Encoder:
        """A registered encoder with the options it had.

        A file or module that ``features.json`` names is not imported: the folder may come from somebody else,
        who would choose what code runs here.
        """
        made = self.manifest["encoder"]
        spec: str = made["spec"]
        plugin: type[Encoder] | None = ENCODERS.get(spec) if ":" not in spec else None
        for _, registered in ENCODERS.loaded() if plugin is None else ():
            if spec == f"{registered.__module__}:{registered.__qualname__}":
                plugin = registered
        if plugin is None:
            raise MtbenchError(
                f"{spec} is not registered, and code that features.json names is not run. In Python, the features "
                f"that encode(benchmark, encoder, {self.name!r}) returns ask the encoder given. {self._again}"
            )
        return construct(plugin, made["options"], what=f"encoder {spec!r}")

    def _encode(self, encoder: Encoder, texts: list[str]) -> Array:
        vectors = np.asarray(encoder.encode_texts(texts), np.float32)
        if vectors.shape != (len(texts), self.dim) or not np.isfinite(vectors).all():
            raise MtbenchError(f"features {self.name!r}: the encoder gave no finite vectors of {self.dim} values")
        return vectors
