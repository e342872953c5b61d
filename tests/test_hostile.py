"""Submissions by somebody who means harm: each is refused by name and with a reason, and the others are checked."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from boards import META, Killer, copy_of, open_beads, random_lists, submit, write_beads, write_trec

from mtbench.core.files import file_sha256
from mtbench.leaderboard import limits, workers
from mtbench.leaderboard import verify as verifying
from mtbench.leaderboard.board import Board
from mtbench.leaderboard.description import Description, described
from mtbench.leaderboard.fault import Fault
from mtbench.leaderboard.rules import contamination
from mtbench.leaderboard.run_file import MOST_BYTES
from mtbench.leaderboard.site import build_site
from mtbench.leaderboard.standings import standings
from mtbench.leaderboard.table_file import MOST_ROWS
from mtbench.leaderboard.verify import Verified, verify

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

linux = pytest.mark.skipif(sys.platform != "linux", reason="files and limits of Linux")
Attack = Callable[[Path], object]
SCRIPT = '<script>alert("x")</script>'


def edit(folder: Path, **fields: Any) -> None:
    """Set fields of a description; None leaves one out."""
    import tomli_w

    path = folder / "submission.toml"
    values = tomllib.loads(path.read_text()) | fields
    path.write_text(tomli_w.dumps({name: value for name, value in values.items() if value is not None}))


def about(folder: Path, **fields: Any) -> None:
    edit(folder, about=tomllib.loads((folder / "submission.toml").read_text())["about"] | fields)


def append(folder: Path, text: str) -> None:
    """Put lines before the tables of a description."""
    path = folder / "submission.toml"
    path.write_text(text + "\n" + path.read_text(), encoding="utf-8")


def scores(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "scores.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def raw(folder: Path, content: bytes, name: str = "run.parquet") -> None:
    (folder / name).write_bytes(content)
    if name == "run.parquet":
        about(folder, run_sha256=file_sha256(folder / name))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object], **how: Any) -> None:
    """Write the ranking again with other columns: lists by name, changed in place; a type may go with one."""
    columns = pq.read_table(folder / "run.parquet").to_pydict()
    change(columns)
    kinds = {"rank": pa.int32(), "score": pa.float32()}
    made = {
        name: values if isinstance(values, (pa.Array, pa.ExtensionArray)) else pa.array(values, kinds.get(name))
        for name, values in columns.items()
    }
    pq.write_table(pa.table(made), folder / "run.parquet", **how)
    about(folder, run_sha256=file_sha256(folder / "run.parquet"))


def put(column: str, value: Any, row: int = 0) -> Attack:
    """One cell of the ranking is another."""
    return lambda folder: rewrite(folder, lambda columns: columns[column].__setitem__(row, value))


def cast(column: str, kind: Any) -> Attack:
    """A column of the ranking is of another type."""
    return lambda folder: rewrite(
        folder, lambda columns: columns.__setitem__(column, pa.array(columns[column]).cast(kind))
    )


def rows(folder: Path, order: Callable[[list[str]], Sequence[int]]) -> None:
    """The rows of the ranking in another order, or some of them, or some twice: chosen by transaction."""

    def change(columns: dict[str, list[Any]]) -> None:
        chosen = order(columns["transaction_id"])
        for name, values in columns.items():
            columns[name] = [values[i] for i in chosen]

    rewrite(folder, change)


def link(folder: Path, name: str, to: str | Path) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(to)


def fifo(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)


def instead(folder: Path, make: Callable[[Path], object]) -> None:
    """Something else than a folder."""
    shutil.rmtree(folder)
    make(folder)


def sparse(folder: Path, name: str, size: int) -> None:
    """A file of so many zeros, of which the disk holds none."""
    with (folder / name).open("wb") as stream:
        stream.truncate(size)


def of_one_value(n: int, length: int) -> pa.Table:
    """So many rows, each with ids of so many letters, in a few bytes."""

    def column(value: Any, kind: Any) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([value], kind))

    word = pa.string()
    columns = [column("a" * length, word), column("b" * length, word), column(1, pa.int32()), column(0, pa.float32())]
    return pa.table(dict(zip(("transaction_id", "image_id", "rank", "score"), columns, strict=True)))


def bomb(folder: Path, n: int, length: int, *, lies: bool = False) -> None:
    """A small file of many rows; one that lies says that it has a thousand."""
    path = folder / "run.parquet"
    pq.write_table(of_one_value(n, length), path, store_schema=False, row_group_size=n, write_statistics=False)
    content = path.read_bytes()
    assert len(content) < MOST_BYTES
    if lies:
        size = struct.unpack("<I", content[-8:-4])[0]
        body, footer, end = content[: -8 - size], content[-8 - size : -8], content[-8:]
        true, false = varint(2 * n), varint(2_000)
        false = bytes([*(b | 128 for b in false), *[128] * (len(true) - len(false) - 1), 0])
        first, *columns, last = footer.split(true)  # the file's rows; those of columns, which stay; the group's rows
        footer = first + false + true.join(columns) + false + last
        content = body + footer + end
    raw(folder, content)
    assert (
        not lies
        or pq.ParquetFile(path).metadata.num_rows == pq.ParquetFile(path).metadata.row_group(0).num_rows == 1000
    )


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def deep_schema(depth: int) -> bytes:
    """A Parquet file whose columns lie in so many groups within each other: thrift by hand."""
    group = b"\x35\x00\x18\x01s\x15\x02\x00"
    leaf = b"\x15\x02\x25\x00\x18\x01x\x00"
    footer = b"\x15\x02\x19\xfc" + varint(depth + 1) + group * depth + leaf + b"\x16\x00\x19\x0c\x00"
    return b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"


def not_utf8(folder: Path) -> None:
    """Bytes in a column of text that are none."""
    table = pq.read_table(folder / "run.parquet")
    images = table.column("image_id").to_pylist()
    broken = pa.array([b"\xff\xfe", *[i.encode() for i in images[1:]]], pa.binary()).view(pa.string())
    pq.write_table(table.set_column(1, "image_id", broken), folder / "run.parquet")
    about(folder, run_sha256=file_sha256(folder / "run.parquet"))


def a_thousand_and_one(columns: dict[str, Any]) -> None:
    """The last transaction lists far too many, the last of them twice."""
    more = 200_000
    name, rank = columns["transaction_id"][-1], columns["rank"][-1]
    columns["transaction_id"] += [name] * more
    columns["image_id"] += [f"x{i}" for i in range(more - 1)] + [f"x{more - 2}"]
    columns["rank"] += list(range(rank + 1, rank + more + 1))
    columns["score"] += [columns["score"][-1]] * more


ATTACKS: Mapping[str, tuple[Attack, str]] = {
    # names and folders
    "name-up": (lambda f: edit(f, name="../../up"), r"name: name '../../up' must be"),
    "name-root": (lambda f: edit(f, name="/etc/x"), "name: name '/etc/x' must be"),
    "name-other": (lambda f: edit(f, name="a-1"), "name: is a-1, but the folder is name-other"),
    "variant-up": (lambda f: edit(f, variant_of="../a-0"), "variant_of: a submission '../a-0' must be"),
    "variant-none": (lambda f: edit(f, variant_of="nobody"), "variant_of: the board has no submission nobody"),
    "Upper": (lambda f: edit(f, name="Upper"), "name: a submission 'Upper' must be"),
    "-begins": (lambda f: edit(f, name="-begins"), "name: a submission '-begins' must be"),
    "up..up": (lambda f: edit(f, name="up..up"), "name: a submission 'up..up' must be"),
    "a.lock": (lambda f: edit(f, name="a.lock"), "name: a submission 'a.lock' must be"),
    "a.": (lambda f: edit(f, name="a."), "name: a submission 'a.' must be"),
    "build": (lambda f: edit(f, name="build"), "name: a submission must not be called 'build'"),
    "compare": (lambda f: edit(f, name="compare"), "name: a submission must not be called 'compare'"),
    "con": (lambda f: edit(f, name="con"), "name: a submission 'con' must be"),
    "esc\x1b[31m\u202e\n": (lambda f: None, r"name: a submission 'esc\\x1b\[31m\\u202e\\n' must be"),
    "a-file": (lambda f: instead(f, lambda p: p.write_text("x")), "is a link or no folder"),
    "a-link": (lambda f: instead(f, lambda p: p.symlink_to(f.parent / "a-0")), "is a link or no folder"),
    "a-link-out": (lambda f: instead(f, lambda p: p.symlink_to("/etc")), "is a link or no folder"),
    "a-fifo": (lambda f: instead(f, os.mkfifo), "is a link or no folder"),
    # files
    "no-run": (lambda f: (f / "run.parquet").unlink(), "run.parquet: is missing"),
    "pickle": (lambda f: (f / "model.pkl").write_bytes(b"\x80\x04."), "'model.pkl': only the files"),
    "code": (lambda f: (f / "run.py").write_text("import os"), "'run.py': only the files"),
    "hidden": (lambda f: (f / ".hidden").write_text("x"), "'.hidden': only the files"),
    "nested": (lambda f: (f / "more").mkdir(), "'more': only the files"),
    "nested-run": (lambda f: nest(f), "'run.parquet': only the files"),
    "odd-file": (lambda f: (f / "\u202e\x1b[2J").write_text("x"), r"\\u202e\\x1b\[2J.*: only the files"),
    "link-run": (lambda f: link(f, "run.parquet", f.parent / "a-0" / "run.parquet"), "'run.parquet': only the files"),
    "link-zero": (lambda f: link(f, "run.parquet", "/dev/zero"), "'run.parquet': only the files"),
    "link-zero-toml": (lambda f: link(f, "submission.toml", "/dev/zero"), "'submission.toml': only the files"),
    "link-passwd": (lambda f: link(f, "scores.json", "/etc/passwd"), "'scores.json': only the files"),
    "link-nowhere": (lambda f: link(f, "scores.json", "/nowhere"), "'scores.json': only the files"),
    "fifo-run": (lambda f: fifo(f, "run.parquet"), "'run.parquet': only the files"),
    "fifo-scores": (lambda f: fifo(f, "scores.json"), "'scores.json': only the files"),
    "fifo-toml": (lambda f: fifo(f, "submission.toml"), "'submission.toml': only the files"),
    # the description
    "toml-huge": (lambda f: append(f, "# " + "x" * (1 << 20)), "larger than 64 kB"),
    "toml-sparse": (lambda f: sparse(f, "submission.toml", 1 << 36), "larger than 64 kB"),
    "toml-deep": (lambda f: append(f, "x = " + "[\n" * 5_000 + "]\n" * 5_000), "brackets within each other"),
    "toml-deep-hidden": (lambda f: append(f, "x = " + "[ # ]\n" * 5_000), "brackets within each other"),
    "toml-tables": (lambda f: append(f, "x = " + "{a = " * 60 + "1" + "}" * 60), "more than 6 deep"),
    "toml-dots": (lambda f: append(f, ".".join("a" * 30_000) + " = 1"), "more than 400 dots"),
    "toml-int": (lambda f: append(f, "x = " + "9" * 5_000), "is no TOML"),
    "toml-hex": (lambda f: append(f, "x = 0x" + "f" * 50_000), "beyond 10"),
    "toml-nan": (lambda f: append(f, "milliseconds = nan"), "milliseconds: nan is no finite number"),
    "toml-latin": (lambda f: raw(f, b'title = "\xff"', "submission.toml"), "is no UTF-8"),
    "toml-nul": (lambda f: append(f, 'x = "\0"'), "is no TOML"),
    "toml-empty": (lambda f: raw(f, b"", "submission.toml"), "title: is missing"),
    "toml-escape": (lambda f: edit(f, summary="\x1b[2J"), r"summary: holds U\+001B"),
    "toml-bidi": (lambda f: edit(f, title="good \u202e bad"), r"title: holds U\+202E"),
    "toml-zero": (lambda f: edit(f, title="C\u200bLIP"), r"title: holds U\+200B"),
    "toml-blank": (lambda f: edit(f, title="\u3164"), r"title: holds U\+3164"),
    "toml-nfd": (lambda f: edit(f, authors=["Andre\u0301"]), "NFC"),
    "toml-line": (lambda f: edit(f, title="one\ntwo"), r"title: holds U\+000A"),
    "toml-key": (lambda f: edit(f, options={"\x1b[31m": "\u202e"}), r"options key \\x1b\[31m: holds U\+001B"),
    "toml-field": (lambda f: edit(f, rank=1), "'rank': no such field"),
    "toml-path": (lambda f: edit(f, code="javascript:alert(1)"), "code: .* is no address"),
    "toml-file": (lambda f: edit(f, paper="file:///etc/passwd"), "paper: .* is no address"),
    "toml-long": (lambda f: edit(f, summary="x" * 3_000), "summary: 3,000 letters"),
    "toml-blank-summary": (lambda f: edit(f, summary=" \n "), "summary: is missing"),
    "seeds-nan": (lambda f: edit(f, seeds=[{"seed": 1, "measures": {"R@5": float("nan")}}]), "nan is no finite number"),
    "seeds-list": (lambda f: edit(f, seeds=[{"seed": 1, "measures": {}, "intervals": [1]}]), "seeds: "),
    "seeds-name": (
        lambda f: edit(f, seeds=[{"seed": 1, "measures": {}, "intervals": {SCRIPT: [0.1, 0.2]}}]),
        "seeds: .* is none of mean",
    ),
    "seeds-over": (lambda f: edit(f, seeds=[{"seed": 1, "measures": {"R@5": 1.5}}]), "no share from 0 to 1"),
    "seeds-own": (
        lambda f: edit(f, seed=1, seeds=[{"seed": 1, "measures": {"R@5": 0.5}}]),
        "seeds: 1 is the seed of the ranking itself",
    ),
    "seeds-backwards": (
        lambda f: edit(f, seeds=[{"seed": 1, "measures": {}, "intervals": {"R@5": [0.4, 0.2]}}]),
        "seeds: the interval of R@5 ends below its beginning",
    ),
    "history-thai": (lambda f: edit(f, history={"\u0e51": 0.5}), "history: .* is no number of turns from 1 to 50"),
    "history-square": (lambda f: edit(f, history={"\u00b2": 0.5}), "history: .* is no number of turns from 1 to 50"),
    "history-twice": (lambda f: edit(f, history={"1": 0.5, "01": 0.4}), "history: '01' is no number of turns"),
    "history-zero": (lambda f: edit(f, history={"0": 0.5}), "history: '0' is no number of turns"),
    "history-51": (lambda f: edit(f, history={"51": 0.5}), "history: '51' is no number of turns"),
    "history-long": (lambda f: edit(f, history={"9" * 400: 0.5}), "history: '999.* is no number of turns"),
    "milliseconds-least": (lambda f: edit(f, milliseconds=1e-300), "milliseconds: 1e-300 is not from"),
    "milliseconds-most": (lambda f: edit(f, milliseconds=1e300), r"milliseconds: 1e\+300 is not from"),
    "claims": (lambda f: edit(f, claims={"R@5": 0.999}), "claims.R@5: 0.999 is claimed, but the ranking gives"),
    "training": (lambda f: edit(f, training=[{"data": "train", "leaks": "none"}]), "so leaks cannot be none"),
    "training-case": (
        lambda f: edit(f, training=[{"data": "Train", "leaks": "none"}]),
        "so leaks cannot be none",
    ),
    "pretraining-leaks": (lambda f: edit(f, pretraining=["Train"]), "training data 'Train': .* allows no leaks"),
    "training-leaks": (lambda f: edit(f, training=[{"data": "x", "leaks": "allowed"}]), "allows no leaks"),
    # what it is about
    "about-none": (lambda f: edit(f, about=None), "about: is missing"),
    "about-board": (lambda f: about(f, board="other"), "about.board is 'other', but must be 'beads'"),
    "about-version": (lambda f: about(f, version=2), "about.version is 2, but must be 1"),
    "about-revision": (lambda f: about(f, revision="0" * 64), "about.revision is '000"),
    "about-run": (lambda f: about(f, run_sha256="0" * 64), "about.run_sha256 is '000"),
    # scores
    "json-nan": (lambda f: scores(f, lambda s: s["measures"].update(mean=float("nan"))), "NaN is no number"),
    "json-infinite": (lambda f: scores(f, lambda s: s.update(x=float("inf"))), "Infinity is no number"),
    "json-1e999": (lambda f: raw(f, b'{"n": 1e999}', "scores.json"), "n is inf, but the run gives"),
    "json-int": (lambda f: raw(f, b'{"n": 1' + b"0" * 5_000 + b"}", "scores.json"), "no JSON that can be read"),
    "json-deep": (lambda f: raw(f, b"[" * 90_000, "scores.json"), "brackets within each other"),
    "json-900": (lambda f: raw(f, b'{"n": ' + b"[" * 900 + b"]" * 900 + b"}", "scores.json"), "brackets within"),
    "json-list": (lambda f: raw(f, b"[]", "scores.json"), "must be an object"),
    "json-utf16": (lambda f: raw(f, '{"n": 1}'.encode("utf-16"), "scores.json"), "no JSON that can be read"),
    "json-huge": (lambda f: sparse(f, "scores.json", 1 << 36), "larger than 1,024 kB"),
    "json-other": (lambda f: scores(f, lambda s: s["measures"].update(mean=1.0)), "measures.mean is 1.0, but the run"),
    "json-above": (lambda f: scores(f, lambda s: s["above"].__setitem__(3, -7)), "scores.json: above is"),
    "json-kind": (lambda f: scores(f, lambda s: s["above"].__setitem__(0, s["above"][0] + 0.0)), "json: above is"),
    "json-null": (lambda f: scores(f, lambda s: s.update({SCRIPT: None})), "is None, but the run gives nothing"),
    "json-key": (lambda f: scores(f, lambda s: s.update({"\x1b[2J\u202e": 1})), r"\\x1b\[2J\\u202e is 1"),
    # the ranking as a file
    "run-text": (lambda f: raw(f, b"transaction_id,image_id\n"), "is no Parquet file"),
    "run-empty": (lambda f: raw(f, b""), "is no Parquet file"),
    "run-half": (lambda f: raw(f, (f / "run.parquet").read_bytes()[:-100]), "is no Parquet file"),
    "run-torn": (lambda f: torn(f), "is no Parquet file|must "),
    "run-deep": (lambda f: raw(f, deep_schema(300_000)), "is no Parquet file|kills the process"),
    "run-sparse": (lambda f: sparse(f, "run.parquet", 1 << 36), "68,719,476,736 bytes; at most"),
    "bomb-rows": (lambda f: bomb(f, 50_000_000, 1), r"unpacks to 50,000,000 rows"),
    "bomb-letters": (lambda f: bomb(f, 2_000_000, 190), "unpacks to 2,000,000 rows and|more memory"),
    "bomb-lies": (
        lambda f: bomb(f, MOST_ROWS * 3, 1, lies=True),
        "unpacks to|no Parquet|more memory|48 transactions have no ranking",
    ),
    "column-more": (lambda f: rewrite(f, lambda c: c.update(x=c["rank"])), "must have the columns"),
    "column-less": (lambda f: rewrite(f, lambda c: c.pop("score")), "must have the columns"),
    "column-nested": (lambda f: rewrite(f, lambda c: c.update(rank=[[r] for r in c["rank"]]) or no_kind(c)), "columns"),
    "column-order": (lambda f: rewrite(f, lambda c: c.update(rank=c.pop("rank"))), "must have the columns"),
    "column-double": (cast("score", pa.float64()), "must have the columns"),
    "column-int64": (cast("rank", pa.int64()), "must have the columns"),
    "column-dictionary": (lambda f: rewrite(f, lambda c: dictionary(c, "image_id")), "must have the columns"),
    "column-binary": (cast("image_id", pa.binary()), "must have the columns"),
    # the ranking
    "null-image": (put("image_id", None), "has empty cells"),
    "null-rank": (put("rank", None), "has empty cells"),
    "nan": (put("score", float("nan"), 1), "score: must be 0 for the best"),
    "infinite": (put("score", float("-inf"), 1), "score: must be 0 for the best"),
    "rises": (put("score", 5.0, 1), "score: must be 0 for the best"),
    "half-steps": (put("score", -0.5, 1), "score: must be 0 for the best"),
    "rank-gap": (put("rank", 7, 1), "rank: must count 1, 2, 3"),
    "rank-zero": (put("rank", 0), "rank: must count 1, 2, 3"),
    "image-cyrillic": (put("image_id", "\u0433000"), r"'\\u0433000' for round.test.0000"),
    "image-bidi": (put("image_id", "r001\u200f"), r"'r001\\u200f' for round.test.0000"),
    "image-nfd": (put("image_id", "e\u0301"), r"'e\\u0301' for round.test.0000"),
    "image-escape": (put("image_id", "\x1b[2J"), r"'\\x1b\[2J' for"),
    "image-long": (put("image_id", "x" * (1 << 20)), "an id of 1,048,576 bytes"),
    "image-not-text": (not_utf8, "is no Parquet file that can be read"),
    "image-other": (put("image_id", "s001"), "not in the gallery of their transaction: 's001' for round.test.0000"),
    "image-twice": (lambda f: rewrite(f, lambda c: c["image_id"].__setitem__(1, c["image_id"][0])), "a second time"),
    "transaction-long": (put("transaction_id", "x" * (1 << 20)), "an id of 1,048,576 bytes"),
    "transaction-strange": (
        lambda f: rewrite(f, lambda c: c.update(transaction_id=["x" if "e.test.0001" in t else t for t in ids(c)])),
        "transactions are not on the board: 'x'",
    ),
    "transactions-lack": (
        lambda f: rows(f, lambda t: [i for i, name in enumerate(t) if name != "round.test.0003"]),
        "1 transactions have no ranking: 'round.test.0003'",
    ),
    "transactions-none": (lambda f: rows(f, lambda t: []), "must have the columns"),
    "transactions-one": (lambda f: rows(f, lambda t: range(70)), "46 transactions have no ranking"),
    "transactions-order": (lambda f: rows(f, lambda t: np.argsort(t)[::-1].tolist()), "not in the order of the board"),
    "transactions-twice": (lambda f: rows(f, lambda t: [*range(len(t)), *range(50)]), "one stands in two places"),
    "short": (
        lambda f: rows(f, lambda t: [i for i in range(len(t)) if t[i] != t[0] or i < 49]),
        "rankings have fewer than 50 candidates: round.test.0000 has 49",
    ),
    "far-too-long": (lambda f: rewrite(f, a_thousand_and_one), "depth: a ranking of 200,050 candidates"),
}
"""By name of the submission: what is done to an honest one, and what must be said of it."""


def nest(folder: Path) -> None:
    (folder / "run.parquet").unlink()
    (folder / "run.parquet").mkdir()


def torn(folder: Path) -> None:
    """Noise in the middle of the pages."""
    content = bytearray((folder / "run.parquet").read_bytes())
    content[40:400] = np.random.default_rng(0).bytes(360)
    raw(folder, bytes(content))


def ids(columns: Mapping[str, Any]) -> list[str]:
    found: list[str] = columns["transaction_id"]
    return found


def no_kind(columns: dict[str, Any]) -> None:
    columns["rank"] = pa.array(columns["rank"])


def dictionary(columns: dict[str, Any], name: str) -> None:
    columns[name] = pa.array(columns[name]).dictionary_encode()


def forged(board: Board, name: str, source: str = "a-0") -> Path:
    """A copy of a submission under another name that owns up to being one."""
    folder = board.submissions / name
    shutil.copytree(board.submissions / source, folder)
    edit(folder, name=name if limits.NAME.fullmatch(name) else "x", variant_of=source)
    return folder


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and time."""
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        found[str(path)] = (about.st_size, about.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """A board with four honest submissions."""
    place = tmp_path_factory.mktemp("honest")
    return open_beads(place, write_beads(place / "beads"))


@pytest.fixture(scope="module")
def attacked(honest: Board, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verified, list[str]]:
    """The board with every attack on it, verified once, and what that wrote anywhere near."""
    place = tmp_path_factory.mktemp("attacked")
    board = copy_of(honest, place)
    for name, (attack, _) in ATTACKS.items():
        attack(forged(board, name))
    before = snapshot(place)
    found = verify(place / "boards", jobs=2)
    after = snapshot(place)
    return place, found, sorted({*before.items()} ^ {*after.items()})


@linux
@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_submission_is_refused_by_name_and_for_its_reason(
    attacked: tuple[Path, Verified, list[str]], name: str
) -> None:
    shown = ascii(name)[1:-1]
    told = [fault for fault in attacked[1].faults if fault.submission == shown]
    assert any(re.search(ATTACKS[name][1], fault.what) for fault in told), [str(fault) for fault in told]
    assert all(fault.board == "beads" for fault in told)


@linux
def test_the_honest_submissions_beside_them_are_checked_and_stand(
    attacked: tuple[Path, Verified, list[str]],
) -> None:
    _, found, _ = attacked
    assert found.submissions == len(ATTACKS) + 4
    assert [str(fault) for fault in found.faults if fault.submission.startswith("a-0")] == []
    assert {fault.submission for fault in found.faults} == {ascii(name)[1:-1] for name in ATTACKS}


@linux
def test_every_fault_is_one_short_line_that_moves_no_cursor(attacked: tuple[Path, Verified, list[str]]) -> None:
    for fault in attacked[1].faults:
        assert str(fault).isprintable(), ascii(str(fault))
        assert len(str(fault)) < 2_200


@linux
def test_verifying_writes_nothing(attacked: tuple[Path, Verified, list[str]]) -> None:
    assert attacked[2] == []


@linux
def test_without_workers_the_same_is_found(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    for name in ("pickle", "json-900", "image-not-text", "seeds-list", "short", "column-more"):
        ATTACKS[name][0](forged(board, name))
    found = [verify(tmp_path / "boards", jobs=jobs) for jobs in (0, 1, 2)]
    assert len(found[0].faults) == 6
    assert found[0] == found[1] == found[2]


def test_markup_is_text(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    edit(forged(board, "markup"), title=SCRIPT, authors=[SCRIPT], summary=f"{SCRIPT}\n[[x]] {{{{ 7 * 7 }}}}")
    assert verify(tmp_path / "boards").faults == []


def test_a_submission_that_kills_its_reader_is_named_and_the_others_are_read(
    honest: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = copy_of(honest, tmp_path)
    about(board.submissions / "a-3", version=7)
    every = verifying.folders

    def folders(board: Board) -> list[Path]:
        return [Killer(path) if path.name == "a-1" else path for path in every(board)]

    monkeypatch.setattr(verifying, "folders", folders)
    found = verify(tmp_path / "boards", jobs=1)
    assert [str(fault) for fault in found.faults] == [
        "beads/a-1: kills the process that reads it; it is no honest submission",
        "beads/a-3: about.version is 7, but must be 1",
    ]


CHILD = """
import json, resource, sys
from pathlib import Path
from mtbench.leaderboard.verify import verify
from joblib.externals.loky import get_reusable_executor
found = verify(Path(sys.argv[1]), jobs=2)
get_reusable_executor().shutdown(wait=True)
own = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) >> 10
worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
print(json.dumps({"faults": list(map(str, found.faults)), "own": own, "worker": worker}))
"""


@linux
def test_a_bomb_is_refused_in_bounded_memory_and_no_process_is_left(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    bomb(forged(board, "bomb"), 4_000_000, 20_000)  # 160 GB
    assert (board.submissions / "bomb" / "run.parquet").stat().st_size < 1 << 20
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "boards")], stdout=subprocess.PIPE, start_new_session=True
    )
    out, _ = process.communicate(timeout=120)
    found = json.loads(out)
    assert [fault[:12] for fault in found["faults"]] == ["beads/bomb: "]
    assert "memory" in found["faults"][0]
    assert found["worker"] < (workers.MEMORY >> 20) + 600  # MB; what it holds before is 300
    assert found["own"] < 600
    end = time.monotonic() + 20
    while left := of_session(process.pid):
        assert time.monotonic() < end, left
        time.sleep(0.1)


def of_session(leader: int) -> list[str]:
    """The processes that belong to a session and still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            text = path.read_text()
            state, _, _, session = text.rsplit(")", 1)[1].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(text)
    return found


LIMITED = """
import resource
import pyarrow as pa
from mtbench.leaderboard import workers
workers.MEMORY = 64 << 20
before = resource.getrlimit(resource.RLIMIT_AS)
with workers.limit_memory():
    for make in (bytearray, pa.allocate_buffer):
        try:
            make(256 << 20)
        except MemoryError:
            print("refused")
assert resource.getrlimit(resource.RLIMIT_AS) == before
print(len(bytearray(256 << 20)))
"""


@linux
def test_the_limit_of_memory_holds_while_it_is_set_and_is_gone_afterwards() -> None:
    # In a process of its own: one that has freed much could take from that.
    found = subprocess.run([sys.executable, "-c", LIMITED], check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["refused", "refused", str(256 << 20)]


def test_types_of_others_are_read_as_what_they_store_and_their_code_is_not_run(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    folder, trace = forged(board, "extension"), tmp_path / "trace"

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (trace,)

    table = pq.read_table(folder / "run.parquet")
    code = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle.dumps(Payload())}
    schema = table.schema.set(1, pa.field("image_id", pa.string(), nullable=False, metadata=code))
    pq.write_table(table.cast(schema), folder / "run.parquet")
    stored = base64.b64decode(pq.ParquetFile(folder / "run.parquet").metadata.metadata[b"ARROW:schema"])
    assert b"arrow.py_extension_type" in stored
    about(folder, run_sha256=file_sha256(folder / "run.parquet"))
    assert verify(tmp_path / "boards", jobs=0).faults == []
    assert not trace.exists()
    pickle.loads(pickle.dumps(Payload()))
    assert trace.exists()  # it would have done harm


def test_one_run_under_two_names_is_found(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    edit(forged(board, "b-copy"), variant_of=None)
    (fault,) = verify(tmp_path / "boards").faults
    assert str(fault).startswith("beads/b-copy: 100.0% of its first ten images are those of a-0")


@linux
def test_names_that_differ_in_case_alone_are_one_name(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    forged(board, "A-0")
    assert Fault("beads", "", "'a-0' and 'A-0' are one name on some file systems") in verify(tmp_path / "boards").faults


def test_other_things_in_a_board_are_told(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    (board.folder / "hook.py").write_text("x")
    (board.folder / "versions").mkdir()
    (board.folder / "versions" / "1").symlink_to("/etc")
    (board.folder / "removed.toml").write_text(
        '[[removed]]\nname = "a-0"\ndate = "2026-01-31"\nreason = "It was bad."\n'
    )
    assert [str(fault) for fault in verify(tmp_path / "boards").faults] == [
        "beads: 'hook.py' does not belong there",
        "beads: a-0 stands and is in removed.toml",
        "beads/versions/1: beads/versions/1 is a link, which is not followed",
    ]


def test_a_sealed_file_that_was_changed_is_told_and_nothing_on_the_board_is_believed(
    honest: Board, tmp_path: Path
) -> None:
    board = copy_of(honest, tmp_path)
    path = board.folder / "transactions.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(3, "cluster", pa.array(range(len(table)))), path)
    found = verify(tmp_path / "boards").faults
    assert [fault.submission for fault in found] == ["", "a-0", "a-1", "a-2", "a-3"]
    assert all("transactions.parquet is not the file that board.toml pins" in fault.what for fault in found)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("schema = 1", "schema = 2", "this mtbench reads schema 1"),
        ("version = 1", "version = 1\nextra = 1", "unknown: extra"),
        ('title = "Beads"', "", "is no board"),
        ('title = "Beads"', 'title = "\\u202e"', r"title: holds U\+202E"),
        ("n = 48", "n = 47", "board.toml says 47 transactions, and there are 48"),
        ("n = 48", "", "KeyError"),
        ("[files]", "[files]\nx = 1\n[files2]", "is no board"),
        ("images = 70", 'images = "x"', "a-0: ValueError"),
    ],
)
def test_a_board_that_was_tampered_with_is_a_fault_and_no_traceback(
    honest: Board, tmp_path: Path, old: str, new: str, reason: str
) -> None:
    board = copy_of(honest, tmp_path)
    path = board.folder / "board.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    found = verify(tmp_path / "boards").faults
    assert any(re.search(reason, str(fault)) for fault in found), found


def test_an_unknown_board_is_no_board_without_faults(honest: Board) -> None:
    with pytest.raises(limits.MtbenchError, match=r"no board named 'bead'\. Did you mean 'beads'"):
        verify(honest.folder.parent, names=["bead"])


def test_what_stood_must_stand(honest: Board, tmp_path: Path) -> None:
    benchmark = write_beads(tmp_path / "beads")
    board, base = copy_of(honest, tmp_path), honest.folder.parent
    submit(board, write_trec(tmp_path / "b.trec", random_lists(benchmark, 9)), "b")
    assert verify(tmp_path / "boards", base=base, jobs=0).faults == []
    shutil.rmtree(board.submissions / "a-0")
    edit(board.submissions / "a-1", title="Better")
    (board.folder / "board.toml").write_text((board.folder / "board.toml").read_text() + "# changed\n")
    (board.folder / "removed.toml").write_text("[[")
    found = list(map(str, verify(tmp_path / "boards", base=base, jobs=0).faults))
    assert any("board.toml was changed" in fault for fault in found) or any("cannot be compared" in f for f in found)
    (board.folder / "removed.toml").unlink()
    assert list(map(str, verify(tmp_path / "boards", base=base, jobs=0).faults)) == [
        "beads: board.toml was changed: a board changes by a new version alone",
        "beads/a-0: was removed, and removed.toml gives no reason",
        "beads/a-1: was edited: a submission never changes; submit under a new name",
    ]


@linux
def test_nothing_outside_the_boards_is_read_through_a_link(honest: Board, tmp_path: Path) -> None:
    """A board, its versions, one version, its submissions: a link in any of their places is a fault, and stays shut."""
    outside = copy_of(honest, tmp_path / "outside").folder
    for i, (place, told) in enumerate(
        {
            "linked": "linked: linked is a link, which is not followed",
            "beads/versions": "beads: 'versions' does not belong there",
            "beads/versions/1": "beads/versions/1: beads/versions/1 is a link, which is not followed",
            "beads/submissions": "beads: beads/submissions is a link, which is not followed",
        }.items()
    ):
        root = copy_of(honest, tmp_path / str(i)).folder.parent
        path = root / place
        path.parent.mkdir(exist_ok=True)
        if path.is_dir():
            shutil.rmtree(path)
        path.symlink_to(outside)
        found = verify(root, jobs=0)
        assert [str(fault) for fault in found.faults] == [told]
        assert found.submissions == (0 if place == "beads/submissions" else 4)
        against = verify(root, jobs=0, base=honest.folder.parent).faults  # what stood is not looked for behind it
        assert {fault.board.partition("/")[0] for fault in against} == {place.partition("/")[0]}


@linux
@pytest.mark.parametrize("name", ["gallery.parquet", "transactions.parquet", "board.toml"])
@pytest.mark.parametrize("to", ["/dev/zero", "fifo", "sparse"])
def test_a_file_of_a_board_that_never_ends_is_not_read(honest: Board, tmp_path: Path, name: str, to: str) -> None:
    path = copy_of(honest, tmp_path).folder / name
    path.unlink()
    if to == "fifo":
        os.mkfifo(path)
    elif to == "sparse":
        sparse(path.parent, name, 1 << 36)
    else:
        path.symlink_to(to)
    for base in (None, honest.folder.parent):
        assert any(name in str(fault) for fault in verify(tmp_path / "boards", jobs=0, base=base).faults)


def test_a_sealed_file_that_is_pinned_must_still_have_the_columns_of_one(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    path = board.folder / "gallery.parquet"
    before = file_sha256(path)
    pq.write_table(pq.read_table(path).append_column("more", pa.array(range(125))), path)
    toml = board.folder / "board.toml"
    toml.write_text(toml.read_text().replace(before, file_sha256(path)))
    found = verify(tmp_path / "boards", jobs=0).faults
    assert found and all("gallery.parquet must have the columns" in str(fault) for fault in found)


MAINTAINER = "needs a maintainer"


def test_a_request_may_add_submissions_and_nothing_else(honest: Board, tmp_path: Path) -> None:
    base = honest.folder.parent
    board = copy_of(honest, tmp_path)
    root = board.folder.parent
    shutil.copytree(board.submissions / "a-0", board.submissions / "b")
    edit(board.submissions / "b", name="b", variant_of="a-0")
    assert verify(root, base=base, adds_only=True, jobs=0).faults == []
    (root / "junk.bin").write_bytes(b"x")
    (root / "README.md").symlink_to("/etc/passwd")
    (root / "other").mkdir()
    (board.folder / "versions" / "1").mkdir(parents=True)
    (board.submissions / "file").write_text("x")
    shutil.rmtree(board.submissions / "a-1")
    (board.folder / "removed.toml").write_text(
        '[[removed]]\nname = "a-1"\ndate = "2026-01-31"\nreason = "It was bad."\n'
    )
    edit(board.submissions / "a-2", title="Better")
    (board.submissions / "a-3" / "more.txt").write_text("x")
    found = verify(root, base=base, adds_only=True, jobs=0).faults
    places = {fault.board: fault.what for fault in found if MAINTAINER in fault.what}
    assert {place: what.partition(":")[0] for place, what in places.items()} == {
        "README.md": "is new",
        "beads/removed.toml": "is new",
        "beads/submissions/a-1": "is gone",
        "beads/submissions/a-2/submission.toml": "was changed",
        "beads/submissions/a-3/more.txt": "is new",
        "beads/submissions/file": "is new",
        "beads/versions": "is new",
        "junk.bin": "is new",
        "other": "is new",
    }


def test_the_first_submission_of_a_board_may_be_added(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    base = tmp_path / "base"
    shutil.copytree(board.folder.parent, base)
    shutil.rmtree(base / "beads" / "submissions")  # git keeps no empty folder
    assert verify(board.folder.parent, base=base, adds_only=True, jobs=0).faults == []


def describe(**fields: Any) -> Description:
    found, wrong = described({**META, "name": "x", **fields})
    assert found is not None, wrong
    return found


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "undeclared"),
        ({"pretraining": ["LAION-400M"]}, "undeclared"),
        ({"pretraining": ["Train"]}, "leaks"),
        ({"pretraining": ["train"], "training": [{"data": "TRAIN", "leaks": "dropped"}]}, "dropped"),
        ({"training": [{"data": "Train", "leaks": "unknown"}]}, "leaks"),
        ({"training": [{"data": "other", "leaks": "none"}]}, "unaudited"),
        ({"training": [{"data": "other", "leaks": "allowed"}]}, "leaks"),
        ({"training": [{"data": "train", "leaks": "dropped"}, {"data": "other"}]}, "unaudited"),
    ],
)
def test_training_is_marked_by_what_the_board_counted_however_its_name_is_written(
    honest: Board, fields: Any, kind: str
) -> None:
    assert contamination(describe(**fields), honest) == kind


@linux
def test_the_pages_are_built_of_whatever_passes_the_check(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    edges: list[dict[str, Any]] = [
        {"history": {"1": 0, "9": 1.0, "10": 1, "50": 0.5}, "milliseconds": 1e-6, "parameters": 10**18},
        {"history": {"50": 0.0}, "milliseconds": 1e9, "parameters": 0, "seed": 10**18},
        {"seeds": [{"seed": -1, "measures": {}}, {"seed": 0, "measures": {"mean": 1}, "intervals": {"mean": [0, 0]}}]},
        {"options": {"a": "b" * 200}, "claims": {}, "date": "0001-01-01"},
    ]
    for i, fields in enumerate(edges):
        edit(board.submissions / f"a-{i}", **fields)
    assert verify(tmp_path / "boards", jobs=0).faults == []
    build_site(tmp_path / "boards", tmp_path / "site")


def test_a_count_that_no_machine_holds_makes_a_damaged_file_and_no_traceback(honest: Board, tmp_path: Path) -> None:
    board = copy_of(honest, tmp_path)
    scores(board.submissions / "a-1", lambda s: s["above"].__setitem__(0, 10**40))
    with pytest.raises(limits.MtbenchError, match=r"a-1.scores\.json is not what submit writes"):
        standings(board)
