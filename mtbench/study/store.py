"""The answers in one SQLite file: a row per answer, written at once, and kept whatever happens to the process.

Of a participant the file knows a number and a hash of the code: nobody who has it can go on as somebody else. It tells
how long an answer took and not when it was given; when somebody was last here it knows until they have finished, or
were away for `AWAY`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.study.database import begin, clean, opened, read
from mtbench.study.design import Design

LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""Of codes: none that looks like another. 16 of 31 letters are 79 bits."""

AWAY = 1800
"""Seconds after which somebody has left: no answer took that long, and their share of the places goes to others."""


@dataclass(frozen=True)
class Answer:
    """One choice.

    Attributes:
        participant: number, from 0.
        question: place in `Design.questions`.
        choice: the model taken, as its place in the question's ``models``; None for "neither / cannot tell".
        seconds: since the question was last shown; None where that is not known, or longer than `AWAY`.
        shown: the models from left to right, as `Design.shown`.
    """

    participant: int
    question: int
    choice: int | None
    seconds: float | None
    shown: tuple[int, ...]


class Store:
    """The file of one study.

    Args:
        path: the file; made where there is none.
        design: of the study; None to read whatever the file is of.

    Raises:
        MtbenchError: no such file, one of another study, or no study at all.
    """

    def __init__(self, path: Path, design: Design | None = None) -> None:
        self.path = path
        if design is None and path.is_dir():
            raise MtbenchError(f"{path} is a folder; give the file that mtbench study serve made, its --out")
        if design is None and not path.is_file():
            raise MtbenchError(f"there is no file {path}; mtbench study serve makes it")
        try:
            if design is not None:
                begin(path, design)
            self.design = read(path, design)
            if design is not None:
                with self._writing() as database:
                    _drop_times(database)
        except (sqlite3.Error, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise MtbenchError(f"{path} cannot be used as the file of a study: {error}") from error

    def new_participant(self) -> tuple[int, str]:
        """The number and the code of somebody who has consented.

        The number decides who sees what where, so it is one that evens out the places over the answers: of those who
        were here lately all answers are expected, and of the others those that they gave.
        """
        code = "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))
        so_far = (
            "SELECT number, CASE WHEN seen IS NULL THEN (SELECT COUNT(*) FROM answer WHERE participant = number) "
            "ELSE ? END FROM participant"
        )
        with self._writing() as database:  # no two get one number
            _drop_times(database)
            number = self.design.next_number(dict(database.execute(so_far, (len(self.design.questions),)).fetchall()))
            row = (number, _hash(code), time.time())
            database.execute("INSERT INTO participant (number, code, seen) VALUES (?, ?, ?)", row)
        return number, code

    def participant(self, code: str) -> int | None:
        """The number of a participant; None if nobody has that code."""
        with opened(self.path) as database:
            row = database.execute("SELECT number FROM participant WHERE code = ?", (_hash(code),)).fetchone()
        return None if row is None else int(row[0])

    def showing(self, participant: int, question: int) -> None:
        """Note that a question is before somebody's eyes from now on."""
        with self._writing(timeout=1) as database:  # a page does not wait for this
            change = "UPDATE participant SET question = ?, seen = ? WHERE number = ?"
            database.execute(change, (question, time.time(), participant))
            _drop_times(database)

    def answer(self, participant: int, question: int, choice: int | None) -> bool:
        """Keep an answer; the first one stands. Says whether this was it; none is kept of who has been removed."""
        now = time.time()
        with self._writing() as database:
            find = "SELECT question, seen FROM participant WHERE number = ?"
            found = database.execute(find, (participant,)).fetchone()
            if found is None:
                return False
            took = now - found[1] if found[0] == question and found[1] is not None else None
            seconds = None if took is None or took > AWAY else max(0.0, took)
            shown = json.dumps(list(self.design.shown(question, participant)))
            row = (participant, question, choice, seconds, shown)
            add = "INSERT OR IGNORE INTO answer (participant, question, choice, seconds, shown) VALUES (?, ?, ?, ?, ?)"
            if database.execute(add, row).rowcount != 1:
                return False
            count = "SELECT COUNT(*) FROM answer WHERE participant = ?"
            done = database.execute(count, (participant,)).fetchone()[0] >= len(self.design.questions)
            change = "UPDATE participant SET question = NULL, seen = ? WHERE number = ?"
            database.execute(change, (None if done else now, participant))
            return True

    def forget(self, code: str) -> int | None:
        """Remove a participant with all answers, and what is left of them in the file; while it is served, too.

        Returns:
            how many answers there were; None if nobody has that code.

        Raises:
            MtbenchError: the file cannot be written, or is in use for too long.
        """
        try:
            with self._writing() as database:
                find = "SELECT number FROM participant WHERE code = ?"
                found = database.execute(find, (_hash(code),)).fetchone()
                if found is None:
                    return None
                gone = database.execute("DELETE FROM answer WHERE participant = ?", found).rowcount
                database.execute("DELETE FROM participant WHERE number = ?", found)
        except sqlite3.Error as error:
            raise MtbenchError(f"{self.path} cannot be changed: {error}") from error
        try:
            clean(self.path)
        except sqlite3.Error as error:
            raise MtbenchError(
                f"{gone:,} answers are removed, but traces are left in {self.path} or its log ({error}): stop what "
                "uses it, and write it anew with VACUUM in any tool for SQLite"
            ) from error
        return gone

    def answers(self, participant: int | None = None) -> list[Answer]:
        """All answers, or those of one participant, in the order of participants and questions."""
        sql = "SELECT participant, answer.question, choice, seconds, shown, number FROM answer LEFT JOIN participant"
        where, values = ("", ()) if participant is None else (" WHERE participant = ?", (participant,))
        with opened(self.path, read_only=participant is None) as database:
            rows = database.execute(
                f"{sql} ON participant = number{where} ORDER BY participant, answer.question", values
            ).fetchall()
        return [self._checked(*row) for row in rows]

    def _checked(self, who: Any, what: Any, choice: Any, took: Any, shown: Any, number: Any) -> Answer:
        """An answer as this study can have taken it: the file may have been changed by anybody.

        Raises:
            sqlite3.DatabaseError: it cannot.
        """
        design = self.design
        is_asked = isinstance(what, int) and 0 <= what < len(design.questions)
        wrong = {
            "of nobody who has begun": number is None,
            "to no question of the study": not is_asked,
            "of no model": choice not in (None, *range(design.candidates)),
            "given in no time that can be": not (took is None or (isinstance(took, float) and 0 <= took <= AWAY)),
            "to another order than was shown": is_asked
            and number is not None
            and shown != json.dumps(list(design.shown(what, who))),
        }
        if found := [why for why, is_so in wrong.items() if is_so]:
            raise sqlite3.DatabaseError(f"it was changed: the answer of participant {who} to {what} is {found[0]}")
        return Answer(who, what, choice, took, tuple(json.loads(shown)))

    def participants(self) -> int:
        """How many have consented."""
        with opened(self.path, read_only=True) as database:
            return int(database.execute("SELECT COUNT(*) FROM participant").fetchone()[0])

    @contextmanager
    def _writing(self, timeout: float = 20) -> Iterator[sqlite3.Connection]:
        """The only one who writes; and only into the file of this study, for another may have taken its place."""
        with opened(self.path, timeout=timeout) as database:
            database.execute("BEGIN IMMEDIATE")
            if database.execute("SELECT identity FROM study").fetchone() != (self.design.identity,):
                raise sqlite3.DatabaseError("another study has taken the place of the file")
            yield database


def _drop_times(database: sqlite3.Connection) -> None:
    """Nothing is told any more by when those were here who have left."""
    database.execute("UPDATE participant SET question = NULL, seen = NULL WHERE seen < ?", (time.time() - AWAY,))


def _hash(code: str) -> str:
    """Of a code as people type it: case, blanks and dashes play no part."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
