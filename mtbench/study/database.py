"""The file of a study as SQLite: made, opened, and known by what it is of. No other study may write into it."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from mtbench.core.errors import MtbenchError
from mtbench.study.design import Design

SCHEMA_VERSION = 1
APPLICATION = 0x6D746273
"""``mtbs``, in the header of the file: what is no study is not written into."""

_SCHEMA = """
CREATE TABLE study (identity TEXT NOT NULL, parts TEXT NOT NULL, design TEXT NOT NULL);
CREATE TABLE participant (number INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, question INTEGER, seen REAL);
CREATE TABLE answer (
    participant INTEGER NOT NULL REFERENCES participant (number), question INTEGER NOT NULL, choice INTEGER,
    seconds REAL, shown TEXT NOT NULL, UNIQUE (participant, question));
"""


def begin(path: Path, design: Design) -> None:
    """Make the file of a study, with a secret of its own; one that is there stays as it is.

    Raises:
        MtbenchError: it is a database of something else.
        sqlite3.Error, OSError: it cannot be read or made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.stat().st_size:
        with opened(path, read_only=True) as database:  # before a setting is changed in what is not ours
            tables = database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
            if tables and not _is_ours(database):
                raise MtbenchError(f"{path} is a database of something else; give another file as --out")
    with opened(path, make=True) as database:
        database.execute("BEGIN IMMEDIATE")  # two servers that start at once
        if _is_ours(database):
            return
        design = replace(design, secret=secrets.token_hex(16))
        for statement in filter(str.strip, _SCHEMA.split(";")):
            database.execute(statement)
        row = (design.identity, json.dumps(design.parts), json.dumps(design.to_json()))
        database.execute("INSERT INTO study VALUES (?, ?, ?)", row)
        database.execute(f"PRAGMA application_id = {APPLICATION}")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def read(path: Path, design: Design | None) -> Design:
    """The design in a file, with its secret.

    Args:
        path: the file.
        design: what it must be of; None for whatever it is of, without writing into it.

    Raises:
        MtbenchError: it is no study, of another version, another study, or was changed.
        sqlite3.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError: it cannot be read.
    """
    with opened(path, read_only=design is None) as database:
        if not _is_ours(database):
            raise MtbenchError(f"{path} is no file of mtbench study serve")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise MtbenchError(
                f"{path} has schema version {version}, and this mtbench reads {SCHEMA_VERSION}: take the one that made "
                "it, or give another file"
            )
        identity, parts, text = database.execute("SELECT identity, parts, design FROM study").fetchone()
    if design is not None and identity != design.identity:
        old, new = json.loads(parts), design.parts
        others = ", ".join(name for name in new if old.get(name) != new[name])
        raise MtbenchError(
            f"{path} holds the answers of another study: other {others}. Start it as before, or give a new file as "
            "--out"
        )
    found = Design.from_json(json.loads(text))
    if found.identity != identity:
        raise MtbenchError(f"{path} was changed: its questions are not those that were asked")
    return found


def clean(path: Path) -> None:
    """Write a file anew and empty its log: pages that were split or moved hold copies of old rows.

    Raises:
        sqlite3.Error: it is in use for too long, or cannot be written.
    """
    with closing(_connect(path)) as database:
        database.execute("VACUUM")
        until = time.monotonic() + 20
        while database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:  # somebody is reading
            if time.monotonic() > until:
                raise sqlite3.OperationalError("somebody reads it all the time")
            time.sleep(0.05)


@contextmanager
def opened(
    path: Path, *, read_only: bool = False, make: bool = False, timeout: float = 20
) -> Iterator[sqlite3.Connection]:
    """A connection of its own, committed at the end: threads and processes share the file, and nothing else.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    with closing(_connect(path, read_only=read_only, make=make, timeout=timeout)) as database, database:
        yield database


def _is_ours(database: sqlite3.Connection) -> bool:
    return bool(database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION)


def _connect(path: Path, *, read_only: bool = False, make: bool = False, timeout: float = 20) -> sqlite3.Connection:
    """A connection; a file is made only where that is asked for."""
    uri = path.resolve().as_uri()
    if not read_only:
        database = sqlite3.connect(f"{uri}?mode={'rwc' if make else 'rw'}", uri=True, timeout=timeout)
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            database.execute(f"PRAGMA {setting}")
        return database
    log = path.with_name(f"{path.name}-wal")
    # A folder that cannot be written into allows the latter alone, which would not see answers in the log.
    for more in ("mode=ro", *(() if log.exists() and log.stat().st_size else ("mode=ro&immutable=1",))):
        database = sqlite3.connect(f"{uri}?{more}", uri=True, timeout=timeout)
        try:
            database.execute("SELECT 1 FROM sqlite_master").fetchone()
            return database
        except sqlite3.OperationalError as error:
            database.close()
            failed = error
    raise failed
