"""Dialogues that people keep: lines of `dialogues.jsonl`, and what was searched, as `mtbench.simulation.saved` has it.

All dialogues of a folder are about the same images, so that `mtbench build dialogues` can make one benchmark of them.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from mtbench.chat.dialogue import MOST_TURNS, Dialogue
from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file
from mtbench.core.types import Gallery
from mtbench.data.benchmark import Benchmark
from mtbench.data.readers import read_json
from mtbench.simulation.saved import line_of, write_searched

FILE = "dialogues.jsonl"

CUT = "dialogues.cut.txt"
"""Lines that a crash left unfinished."""

LONGEST_LINE = 1 << 20
"""Bytes: many times what the longest dialogue takes."""

LARGEST = 64 << 20
"""Bytes of the file: some 100,000 dialogues."""


class Saver:
    """Keeps dialogues in a file, each as it was saved last; several servers may share it.

    A dialogue that was saved and goes on takes the place of its line. One that leaves what was saved, because turns
    were taken back, dropped or moved, or another image is wanted, is a line of its own.

    Args:
        folder: made when the first dialogue is saved.
        benchmark: whose images are talked about.
        galleries: by category, those that are searched.
        split: the part of the benchmark that they are of.
        models: what each system is known by, for the lines.

    Raises:
        MtbenchError: the folder has dialogues about other images.
    """

    def __init__(
        self,
        folder: Path,
        benchmark: Benchmark,
        galleries: Mapping[str, Gallery],
        *,
        split: str = "test",
        models: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.path = folder / FILE
        self.benchmark = benchmark
        self.galleries = galleries
        self.split = split
        self.models = models
        # By first name, what was saved under which: by this server, no other one has the same dialogue
        self._known: dict[str, dict[str, Dialogue]] = {}
        self._check_images()

    @cached_property
    def command(self) -> str:
        """What makes a benchmark of the dialogues, to be typed where the server was started."""
        folder, pictures = self.path.parent, self.benchmark.image_folder
        captions = folder / "image_captions.json"
        words = ["mtbench", "build", "dialogues", "--raw", self.path, "--candidates", folder / "candidates.json"]
        words += ["--image-captions", captions] if captions.exists() else []
        if pictures is not None:
            here = Path.cwd()  # a page tells no more of the machine than it must
            words += ["--images", pictures.relative_to(here) if pictures.is_relative_to(here) else pictures]
        words += ["--min-turns", 1, "--max-turns", MOST_TURNS, "--out", folder / "benchmark"]
        return shlex.join(map(str, words))

    def save(self, dialogue: Dialogue) -> str:
        """Write one dialogue, on disk when this returns; saved again, or with more turns, in the place of its line.

        Args:
            dialogue: with a target and a turn.

        Returns:
            the id of the transaction.

        Raises:
            MtbenchError: the dialogue is not complete, or the file is full or cannot be written.
        """
        if not dialogue.turns:
            raise MtbenchError("There is nothing to save yet: say something first.")
        if dialogue.target is None:
            raise MtbenchError("Which image did you look for? Mark it with “This is it”, then save.")
        if dialogue.found is not None:
            raise MtbenchError(
                f"You had found it before turn {dialogue.found + 1}, and nobody looks for what they see. Go back to "
                "that turn, then save."
                if dialogue.found
                else "You began with the image that you look for. Drop turn 1, or look for another one."
            )
        history = dialogue.history
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_name(f".{FILE}.lock")):
                saved = self._known.get(dialogue.id, {})  # not before: the same may be saved twice at once
                name = _continued(dialogue, saved) or f"{dialogue.category}.chat.{dialogue.id}{_number(len(saved) + 1)}"
                row = line_of(
                    name, dialogue.category, history.references, history.feedback, dialogue.target, split=self.split
                )
                about = {
                    "benchmark": self.benchmark.name,
                    "revision": self.benchmark.revision,
                    "models": self.models,
                    "edited": dialogue.edited,
                }
                line = json.dumps({**about, **row}, ensure_ascii=False, sort_keys=True).encode() + b"\n"
                self._check_images()
                if not self._known:
                    write_searched(self.path.parent, self.galleries, self.benchmark.images)
                self._mend()
                if name in saved and self.path.exists():
                    self._replace(name, line)
                else:
                    self._append(line)
                self._known[dialogue.id] = {**saved, name: dialogue}
        except OSError as error:
            raise MtbenchError(f"{self.path} cannot be written: {error.strerror}") from error
        return name

    def _mend(self) -> None:
        """Move a last line that a crash left unfinished to a file beside: it would make the whole file unreadable."""
        if not self.path.exists():
            return
        with self.path.open("r+b") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - LONGEST_LINE))
            tail = stream.read()
            last = tail.rstrip(b"\r\n").rpartition(b"\n")[2]
            whole = len(tail) == size or b"\n" in tail
            if not last or not whole or _is_row(last):
                stream.write(b"\n" if last and not tail.endswith(b"\n") else b"")
                return
            with self.path.with_name(CUT).open("ab") as aside:
                aside.write(last + b"\n")
                aside.flush()
                os.fsync(aside.fileno())
            stream.truncate(size - len(tail) + tail.rindex(last))

    def _append(self, line: bytes) -> None:
        with self.path.open("a+b") as stream:
            self._check(stream.seek(0, os.SEEK_END) + len(line))
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())

    def _replace(self, name: str, line: bytes) -> None:
        own = f'"id": {json.dumps(name, ensure_ascii=False)}'.encode()  # in a text its quotes would be escaped
        kept = [one for one in self.path.read_bytes().splitlines() if own not in one]
        content = b"".join(one + b"\n" for one in kept) + line
        self._check(len(content))
        with atomic_file(self.path) as temporary, temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())

    def _check_images(self) -> None:
        searched = self.path.with_name("candidates.json")
        own = {name: list(gallery.image_ids) for name, gallery in self.galleries.items()}
        if searched.exists() and read_json(searched) != own:
            raise MtbenchError(f"{self.path.parent} has dialogues about other images; give another folder as --out")

    def _check(self, size: int) -> None:
        if size > LARGEST:
            raise MtbenchError(
                f"{self.path} is full: it may have {LARGEST >> 20} MiB. Move it elsewhere, then save again."
            )


def _continued(dialogue: Dialogue, saved: Mapping[str, Dialogue]) -> str | None:
    """The name under which this dialogue, or else the longest beginning of it, was saved."""
    begun = {
        name: len(one.turns)
        for name, one in saved.items()
        if one.target == dialogue.target and one.turns == dialogue.turns[: len(one.turns)]
    }
    return max(begun, key=lambda name: begun[name], default=None)


def _number(which: int) -> str:
    return "" if which == 1 else f"-{which}"


def _is_row(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
