"""Dialogues that people keep: lines of `dialogues.jsonl`, as `mtbench.simulation.saved` describes them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from filelock import FileLock

from mtbench.chat.dialogue import Dialogue
from mtbench.core.errors import MtbenchError
from mtbench.simulation.saved import line_of

FILE = "dialogues.jsonl"


class Saver:
    """Appends dialogues to a file; several servers may share it.

    Args:
        folder: made when the first dialogue is saved.
        split: the part of the benchmark whose gallery was searched.
    """

    def __init__(self, folder: Path, *, split: str = "test") -> None:
        self.path = folder / FILE
        self.split = split

    def save(self, dialogue: Dialogue, moment: str) -> str:
        """Append one dialogue, on disk when this returns; a moment that is there already is not written again.

        Args:
            dialogue: with a target and a turn.
            moment: its name in the store.

        Returns:
            the id of the transaction.

        Raises:
            MtbenchError: the dialogue is not complete, or the file cannot be written.
        """
        if not dialogue.turns:
            raise MtbenchError("There is nothing to save yet: say something first.")
        if dialogue.target is None:
            raise MtbenchError("Which image did you look for? Mark it with “This is it”, then save.")
        name = f"{dialogue.category}.chat.{hashlib.sha256(moment.encode()).hexdigest()[:12]}"
        history = dialogue.history
        row = line_of(name, dialogue.category, history.references, history.feedback, dialogue.target, split=self.split)
        line = json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_name(f".{FILE}.lock")), self.path.open("a+b") as stream:
                stream.seek(0)
                known = stream.read()
                if json.dumps(name, ensure_ascii=False).encode() not in known:
                    cut_short = known and not known.endswith(b"\n")  # by a crash in the midst of a line
                    stream.write((b"\n" if cut_short else b"") + line.encode())
                    stream.flush()
                    os.fsync(stream.fileno())
        except OSError as error:
            raise MtbenchError(f"{self.path} cannot be written: {error.strerror}") from error
        return name
