"""Verifying: every score of every submission again, from its ranking, and every rule of the boards.

Nothing of a submission is run, unpickled or believed, and no link below the boards is followed. Runs are read in worker
processes whose memory is limited, so that a file made to swell when it is unpacked ends one worker's reading and not
the check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtbench.chains.leakage import leaks
from mtbench.core.errors import SHOWN, MtbenchError, unknown
from mtbench.core.files import file_sha256
from mtbench.data.benchmark import Benchmark
from mtbench.leaderboard.board import LEAK, MOST_SEALED, Board, boards, read_board
from mtbench.leaderboard.changed import changed, not_added
from mtbench.leaderboard.fault import Fault, shown
from mtbench.leaderboard.limits import link_on_the_way
from mtbench.leaderboard.opening import OWN, sealed_tables
from mtbench.leaderboard.recompute import Recomputed, differences, recompute, scores_of
from mtbench.leaderboard.removed import read_removed
from mtbench.leaderboard.rules import faults
from mtbench.leaderboard.run_file import Run, read_run_file
from mtbench.leaderboard.similar import Heads, alike, heads_of, undeclared
from mtbench.leaderboard.submission import Submission, folders, read_submission
from mtbench.leaderboard.table_file import read_table
from mtbench.leaderboard.workers import Job, in_order

BOARD_FILES = ("board.toml", "gallery.parquet", "removed.toml", "submissions", "transactions.parquet", "versions")


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
    adds_only: bool = False,
    jobs: int = 2,
    progress: bool = False,
) -> Verified:
    """Recompute and check everything below ``root``.

    Args:
        root: the folder of the boards.
        names: boards to verify; all by default.
        benchmarks: where at hand: boards of their revisions are sealed again and compared.
        base: the boards as they were: what stood there must stand unchanged, or be removed with a reason.
        adds_only: nothing else than new submissions may differ from ``base``, which must be given.
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
        label = board.label
        found.faults += [Fault(label, "", what) for what in _board_faults(board, benchmarks)]
        chosen.append(board)
    jobs_of = [(board.folder, path) for board in chosen for path in folders(board)]
    heads: dict[str, dict[str, Heads]] = {}
    variants: dict[str, dict[str, str]] = {}
    labels = {board.folder: board.label for board in chosen}
    there = {board.label: {path.name for path in folders(board)} | _gone(board) for board in chosen}
    bar = tqdm(total=len(jobs_of), unit="submission", disable=not progress, leave=False)
    for (folder, path), checked in zip(jobs_of, in_order(_check, jobs_of, jobs, _KILLED), strict=True):
        bar.update()
        label = labels[folder]
        found.submissions += 1
        found.faults += [Fault(label, shown(path.name), what) for what in checked.faults]
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
        found.faults += not_added(root, base) if adds_only else changed(root, base)
    found.faults.sort(key=lambda fault: (fault.board, fault.submission, fault.what))
    return found


def _readable(root: Path, names: Sequence[str], found: Verified) -> Iterator[Board]:
    """The boards that can be read; the others are faults."""
    paths = sorted(root.glob("*/board.toml")) if root.is_dir() else []
    if not paths:
        boards(root)  # raises what to do
    known = [path.parent.name for path in paths]
    for name in names:
        if name not in known:
            raise unknown("board", name, known)
    for path in sorted(root.iterdir()):
        if names and path.name not in names:
            continue
        shelf = path / "versions"
        versions = sorted(shelf.iterdir()) if shelf.is_dir() and not link_on_the_way(root, shelf) else []
        for one in (path, *versions):
            label = shown(str(one.relative_to(root)))
            if link := link_on_the_way(root, one / "submissions"):
                found.faults.append(Fault(label, "", f"{shown(str(link))} is a link, which is not followed"))
            elif (one / "board.toml").exists() or (one / "board.toml").is_symlink():
                try:
                    yield read_board(one)
                except MtbenchError as error:
                    found.faults.append(Fault(label, "", str(error)))


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
        for path in (sorted(shelf.iterdir()) if shelf.is_dir() and not shelf.is_symlink() else ())
        if not path.is_symlink() and not (path.name.isdecimal() and (path / "board.toml").is_file())
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
        if not read_table(board.folder / name, table.schema, MOST_SEALED).equals(table):
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


_KILLED = _Checked(["kills the process that reads it; it is no honest submission"])


@lru_cache(maxsize=4)
def _board(folder: Path, sha256: str) -> Board:
    """A board, kept while its text is the same: workers live longer than one verification."""
    return read_board(folder)


def _check(chunk: Sequence[Job]) -> list[_Checked]:
    """Submissions of one board: files, words, rankings and scores."""
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
