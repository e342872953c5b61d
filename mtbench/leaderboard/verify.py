"""Verifying: every score of every submission again, from its ranking, and every rule of the boards.

Nothing of a submission is run, unpickled or believed. Runs are read in worker processes whose memory is limited, so
that a file made to swell when it is unpacked ends one worker's reading and not the check.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow.parquet as pq

from mtbench.chains.leakage import leaks
from mtbench.core.errors import SHOWN, MtbenchError, unknown
from mtbench.core.files import file_sha256
from mtbench.data.benchmark import Benchmark
from mtbench.leaderboard.board import LEAK, Board, boards, read_board
from mtbench.leaderboard.opening import OWN, sealed_tables
from mtbench.leaderboard.recompute import Recomputed, differences, recompute, scores_of
from mtbench.leaderboard.removed import read_removed
from mtbench.leaderboard.rules import faults
from mtbench.leaderboard.run_file import Run, read_run_file
from mtbench.leaderboard.similar import Heads, alike, heads_of, undeclared
from mtbench.leaderboard.submission import Submission, folders, read_submission

MEMORY = 3 << 30
"""Bytes that a worker may ask for beyond what it begins with, where the system can hold it to that."""
_AT_ONCE = 10
"""Submissions whose intervals are drawn together."""
_LONGEST = 2_000
"""Letters of a fault."""

Job: TypeAlias = tuple[Path, Path]
"""The folder of a board, and that of a submission."""

BOARD_FILES = ("board.toml", "gallery.parquet", "removed.toml", "submissions", "transactions.parquet", "versions")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: on which board, with which submission (empty: with the board), and what."""

    board: str
    submission: str
    what: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", _safe(self.what))

    def __str__(self) -> str:
        return f"{'/'.join(filter(None, (self.board, self.submission)))}: {self.what}"


def _safe(text: str) -> str:
    """One line that can be printed: what a stranger wrote moves no cursor and turns no text around."""
    line = "; ".join(part.strip() for part in text.splitlines())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line[:_LONGEST])


@dataclass
class Verified:
    """What a verification found.

    Attributes:
        boards: how many, earlier versions counted.
        submissions: how many were recomputed.
        faults: all of them, by board and submission.
    """

    boards: int = 0
    submissions: int = 0
    faults: list[Fault] = field(default_factory=list)


def verify(
    root: Path,
    *,
    names: Sequence[str] = (),
    benchmarks: Sequence[Benchmark] = (),
    base: Path | None = None,
    jobs: int = 2,
    progress: bool = False,
) -> Verified:
    """Recompute and check everything below ``root``.

    Args:
        root: the folder of the boards.
        names: boards to verify; all by default.
        benchmarks: where at hand: boards of their revisions are sealed again and compared.
        base: the boards as they were: what stood there must stand unchanged, or be removed with a reason.
        jobs: worker processes; 0 reads everything in this one, without a limit of memory.
        progress: show a bar on stderr.

    Raises:
        MtbenchError: there are no boards, or none of a name that was given; what is wrong with one is a `Fault`.
    """
    from tqdm import tqdm

    found = Verified()
    chosen: list[Board] = []
    for board in _readable(root, names, found):
        found.boards += 1
        label = _label(board)
        found.faults += [Fault(label, "", what) for what in _board_faults(board, benchmarks)]
        chosen.append(board)
    jobs_of = [(board.folder, path) for board in chosen for path in folders(board)]
    heads: dict[str, dict[str, Heads]] = {}
    variants: dict[str, dict[str, str]] = {}
    labels = {board.folder: _label(board) for board in chosen}
    there = {_label(board): {path.name for path in folders(board)} | _gone(board) for board in chosen}
    bar = tqdm(total=len(jobs_of), unit="submission", disable=not progress, leave=False)
    for (folder, path), checked in zip(jobs_of, _checked(jobs_of, jobs), strict=True):
        bar.update()
        label = labels[folder]
        found.submissions += 1
        found.faults += [Fault(label, ascii(path.name)[1:-1][:80], what) for what in checked.faults]
        if checked.heads is not None:
            heads.setdefault(label, {})[path.name] = checked.heads
            variants.setdefault(label, {})[path.name] = checked.variant_of
    bar.close()
    for label, runs in heads.items():
        for one, other in variants[label].items():
            if other and other not in there[label]:
                found.faults.append(Fault(label, one, f"variant_of: the board has no submission {other}"))
        for one, two, share in undeclared(alike(runs), variants[label]):
            what = (
                f"{share:.1%} of its first ten images are those of {two}: the same system under two names? If it is a "
                f'variant, say so: variant_of = "{two}"'
            )
            found.faults.append(Fault(label, one, what))
    if base is not None:
        found.faults += _changed(root, base)
    found.faults.sort(key=lambda fault: (fault.board, fault.submission, fault.what))
    return found


def _label(board: Board) -> str:
    return board.name if board.folder.parent.name != "versions" else f"{board.name}/versions/{board.folder.name}"


def _readable(root: Path, names: Sequence[str], found: Verified) -> Iterator[Board]:
    """The boards that can be read; the others are faults."""
    paths = sorted(root.glob("*/board.toml")) if root.is_dir() else []
    if not paths:
        boards(root)  # raises what to do
    known = [path.parent.name for path in paths]
    for name in names:
        if name not in known:
            raise unknown("board", name, known)
    for path in paths:
        if names and path.parent.name not in names:
            continue
        for one in [path.parent, *sorted(p.parent for p in path.parent.glob("versions/*/board.toml"))]:
            try:
                yield read_board(one)
            except MtbenchError as error:
                found.faults.append(Fault(ascii(str(one.relative_to(root)))[1:-1], "", str(error)))


def _board_faults(board: Board, benchmarks: Sequence[Benchmark]) -> list[str]:
    """What is wrong with a board itself."""
    wrong = [
        f"{ascii(path.name)[:80]} does not belong there"
        for path in sorted(board.folder.iterdir())
        if path.name not in BOARD_FILES or path.is_symlink()
    ]
    shelf = board.folder / "versions"
    wrong += [
        f"versions/{ascii(path.name)[1:-1][:80]} is no earlier version"
        for path in (sorted(shelf.iterdir()) if shelf.is_dir() else ())
        if not path.name.isdecimal() or path.is_symlink() or not (path / "board.toml").is_file()
    ]
    try:
        removed = read_removed(board)
        wrong += [f"{name} stands and is in removed.toml" for name in removed if (board.submissions / name).exists()]
        if len(board.sealed) != board.benchmark["n"]:
            wrong.append(f"board.toml says {board.benchmark['n']:,} transactions, and there are {len(board.sealed):,}")
    except Exception as error:  # a board is text from outside too
        wrong.append(_reason(error))
    lower: dict[str, str] = {}
    for path in folders(board):
        if other := lower.get(path.name.lower()):
            wrong.append(f"{path.name!a} and {other!a} are one name on some file systems")
        lower[path.name.lower()] = path.name
    for benchmark in benchmarks:
        try:
            if benchmark.revision == board.benchmark["revision"]:
                wrong += _against(board, benchmark)
        except Exception as error:
            wrong.append(f"cannot be compared with {benchmark.path}: {_reason(error)}")
    return wrong


def _reason(error: Exception) -> str:
    """What an error says; of one that nobody foresaw, its kind as well."""
    return str(error) if isinstance(error, MtbenchError) else f"{type(error).__name__}: {error}"


def _against(board: Board, benchmark: Benchmark) -> list[str]:
    """Whether a board is what its benchmark gives, sealed again."""
    wrong = []
    for name, table in sealed_tables(benchmark, board.benchmark["part"], board.salt).items():
        if not pq.read_table(board.folder / name).equals(table):
            wrong.append(f"{name} is not what {benchmark.path} gives")
    for row in board.galleries:
        gallery = benchmark.gallery("test", row["category"])
        if (gallery.sha256, len(gallery)) != (row["sha256"], row["images"]):
            wrong.append(f"the gallery {row['category']} is not that of {benchmark.path}")
    if dict(board.protocol) != asdict(benchmark.protocol):
        wrong.append(f"the protocol is not that of {benchmark.path}")
    ranked = set(board.sealed.ids)
    transactions = [t for t in benchmark.transactions("test") if t.transaction_id in ranked]
    for known in board.training:
        if known.data in OWN:
            count = sum(leak[LEAK] for leak in leaks(transactions, benchmark.transactions(known.data)))
            if (known.leaks, known.of) != (count, len(transactions)):
                wrong.append(f"training data {known.data} has a pair of {count:,} transactions, not of {known.leaks:,}")
    return wrong


def _gone(board: Board) -> set[str]:
    """Names of what was removed; none where nobody can read them, which is a fault already."""
    try:
        return set(read_removed(board))
    except MtbenchError:
        return set()


@dataclass(frozen=True)
class _Checked:
    faults: list[str]
    heads: Heads | None = None
    variant_of: str = ""


def _checked(jobs_of: Sequence[Job], jobs: int) -> Iterator[_Checked]:
    """Every submission checked, in order."""
    chunks = [list(group) for group in _chunks(jobs_of)]
    if jobs < 1:
        for chunk in chunks:
            yield from _check(chunk, limited=False)
        return
    done = 0
    try:
        for found in _parallel(jobs, chunks):
            yield from found
            done += 1
    except BrokenProcessPool:  # a file killed its reader: the others have a right to be read
        for chunk in chunks[done:]:
            for job in chunk:
                try:
                    yield from next(iter(_parallel(1, [[job]])))
                except BrokenProcessPool:
                    yield _Checked(["kills the process that reads it; it is no honest submission"])


def _parallel(jobs: int, chunks: Sequence[Sequence[Job]]) -> Iterator[list[_Checked]]:
    from joblib import Parallel, delayed

    # joblib takes one job for this very process, so that one job is two of which one waits.
    pool = Parallel(n_jobs=max(2, jobs), pre_dispatch=1 if jobs == 1 else "2 * n_jobs", return_as="generator")
    yield from pool(delayed(_check)(chunk) for chunk in chunks)


def _chunks(jobs_of: Sequence[Job]) -> Iterator[list[Job]]:
    """Some submissions of one board at a time: their intervals are drawn together."""
    for _, group in groupby(jobs_of, key=itemgetter(0)):
        rows = list(group)
        yield from (rows[i : i + _AT_ONCE] for i in range(0, len(rows), _AT_ONCE))


@contextmanager
def _limit_memory() -> Iterator[None]:
    """Hold this process to `MEMORY` more than it has; where the system has no such limit, go on without.

    Only for a while: a worker of joblib may be asked for something else later.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most if soft == resource.RLIM_INFINITY else min(most, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@lru_cache(maxsize=4)
def _board(folder: Path, sha256: str) -> Board:
    """A board, kept while its text is the same: workers live longer than one verification."""
    return read_board(folder)


def _check(chunk: Sequence[Job], *, limited: bool = True) -> list[_Checked]:
    """Submissions of one board: files, words, rankings and scores."""
    with _limit_memory() if limited else nullcontext():
        checked: list[_Checked | None] = []
        good: list[tuple[Submission, Run, Recomputed]] = []
        for home, folder in chunk:
            try:
                board = _board(home, file_sha256(home / "board.toml"))
                submission = read_submission(folder, board)
                run = read_run_file(submission.run, board)
                good.append((submission, run, recompute(run, board)))
                checked.append(None)
            except MemoryError:
                checked.append(_Checked(["needs more memory to be read than a submission may"]))
            except Exception as error:  # what nobody foresaw is refused too, and the others are read
                checked.append(_Checked([_reason(error).replace(f"{folder}/", "").replace(f"{folder}: ", "")]))
        scores = scores_of([found for _, _, found in good]) if good else []
        judged = iter([_judged(*one, score) for one, score in zip(good, scores, strict=True)])
        return [next(judged) if one is None else one for one in checked]


def _judged(submission: Submission, run: Run, found: Recomputed, scores: Mapping[str, Any]) -> _Checked:
    """What is wrong with a submission that can be read."""
    wrong = _about(submission.about, found.board, submission.run)
    wrong += [f"scores.json: {text}" for text in differences(submission.stated, scores)[:SHOWN]]
    wrong += [f"{where}: {what}" for where, what in faults(submission.description, found)]
    return _Checked(wrong, heads_of(run), submission.description.variant_of)


def _about(about: Mapping[str, Any], board: Board, run: Path) -> list[str]:
    """Whether a submission is about this version of this board."""
    wanted = {
        **{"schema": 1, "board": board.name, "version": board.version, "revision": board.benchmark["revision"]},
        "run_sha256": file_sha256(run),
    }
    return [
        f"about.{name} is {ascii(about.get(name))[:80]}, but must be {value!r}"
        for name, value in wanted.items()
        if about.get(name) != value
    ]


def _changed(root: Path, base: Path) -> list[Fault]:
    """What was changed of what stood: boards, and submissions that are not removed with a reason."""
    wrong = []
    for old in boards(base):
        try:
            wrong += _changed_of(old, root, base)
        except (MtbenchError, OSError) as error:
            wrong.append(Fault(_label(old), "", f"cannot be compared with what stood: {error}"))
    return wrong


def _changed_of(old: Board, root: Path, base: Path) -> list[Fault]:
    """The same for one board."""
    wrong = []
    label = _label(old)
    now = root / old.folder.relative_to(base)
    if not (now / "board.toml").is_file() or read_board(now).version != old.version:
        now = root / old.name / "versions" / str(old.version)  # a new version was opened
    if not (now / "board.toml").is_file():
        wrong.append(Fault(label, "", "the board stood before and is gone"))
        return wrong
    for name in ("board.toml", *old.files):
        if (now / name).read_bytes() != (old.folder / name).read_bytes():
            wrong.append(Fault(label, "", f"{name} was changed: a board changes by a new version alone"))
    new = read_board(now)
    removed = read_removed(new)
    for path in folders(old):
        there = new.submissions / path.name
        if not there.is_dir():
            if path.name not in removed:
                wrong.append(Fault(label, path.name, "was removed, and removed.toml gives no reason"))
            continue
        if _bytes(there) != _bytes(path):
            wrong.append(Fault(label, path.name, "was edited: a submission never changes; submit under a new name"))
    for name, reason in read_removed(old).items():
        if removed.get(name) != reason:
            wrong.append(Fault(label, name, "the reason of its removal was changed"))
    return wrong


def _bytes(folder: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}
