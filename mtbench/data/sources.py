"""Where raw files come from: declared by URL, size and hash, fetched with resume, and never trusted unhashed.

The transfer is the standard library's: `huggingface_hub.file_download.http_get` tries a dead host six times,
logging each, knows no size limit and is no documented interface of that package; `pooch` cannot resume.
"""

from __future__ import annotations

import http.client
import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from urllib.parse import urlsplit

from tqdm import tqdm

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.files import file_sha256

logger = logging.getLogger(__name__)

TIMEOUT = 30
"""Seconds without a byte before a host counts as gone."""


@dataclass(frozen=True)
class Source:
    """One raw file: where it lies in the raw folder, where it can be had, and how it is known.

    ``url`` is None where no host is left; ``note`` then says what to do. Optional files are not ``required``.
    """

    path: str
    url: str | None
    sha256: str
    size: int
    licence: str
    note: str = ""
    required: bool = True

    def __post_init__(self) -> None:
        parts = PureWindowsPath(self.path)  # knows both kinds of slash, and drives
        if parts.anchor or ".." in parts.parts or not parts.parts:
            raise MtbenchError(f"source path {self.path!r} leaves the raw folder; give a relative path inside it")


class _WrongContentError(Exception):
    """What the host sends is not the declared file: nothing of it may stay."""


def fetch(sources: Sequence[Source], raw: Path, *, progress: bool = True) -> list[Path]:
    """Download what is missing into ``raw`` and return the declared files that are there afterwards.

    What has arrived when a connection ends stays beside the file as ``.part``, and the next call goes on from
    there. A file appears under its own name only with the declared hash; none is overwritten.

    Raises:
        MtbenchError: required files could not be had, or a file that was there is another one; all of them at
            once. Optional files that cannot be had are only warned about.
    """
    problems = Problems(raw, hint=f"Run again to go on, or put the files into {raw} by hand under these names.")
    optional = []
    dead: dict[str, str] = {}  # hosts that did not answer are not asked again for each of many files
    there = []
    for source in sources:
        try:
            there.append(_fetch_one(source, raw, dead, progress=progress))
        except FileExistsError as error:
            problems.add(source.path, str(error))
        except (OSError, http.client.HTTPException, _WrongContentError, ValueError) as error:
            what = f"{source.url or 'no live host'}: {_reason(error)}{_note(source)}"
            if source.required:
                problems.add(source.path, what)
            else:
                optional.append(f"{source.path} ({what})")
    if optional:
        logger.warning("%s: optional files could not be had: %s", raw, "; ".join(optional))
    problems.raise_if_any()
    return there


def missing(sources: Sequence[Source], raw: Path, *, builder: str) -> MtbenchError | None:
    """An error that names the required files which ``raw`` lacks and says what to type, or None."""
    lacking = [source for source in sources if source.required and not (raw / source.path).is_file()]
    if any(source.url for source in lacking):
        hint = f"Download them: mtbench build {builder} --raw {raw} --out DIR --fetch"
    else:
        hint = f"Put them into {raw} by hand, then: mtbench build {builder} --raw {raw} --out DIR"
    problems = Problems(raw, hint=hint)
    for source in lacking:
        where = f"from {source.url}" if source.url else "no live host"
        problems.add(source.path, f"missing, {where}{_note(source)}")
    try:
        problems.raise_if_any()
    except MtbenchError as error:
        return error
    return None


def _fetch_one(source: Source, raw: Path, dead: dict[str, str], *, progress: bool) -> Path:
    path = raw / source.path
    if path.exists():
        if not path.is_file() or file_sha256(path) != source.sha256:
            raise FileExistsError(f"another file than the declared one (sha256 {source.sha256[:12]}...); move it away")
        return path
    if source.url is None:
        raise OSError("nowhere to download from")
    host = urlsplit(source.url).netloc
    if host in dead:
        raise OSError(dead[host])
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(source.url, part, size=source.size, label=source.path, progress=progress)
        if file_sha256(part) != source.sha256:
            raise _WrongContentError(
                f"its sha256 is not the declared {source.sha256[:12]}...: the file there has changed"
            )
    except _WrongContentError:
        part.unlink(missing_ok=True)
        raise
    except urllib.error.HTTPError:
        raise  # the host lives, this file does not
    except urllib.error.URLError as error:
        dead[host] = _reason(error)
        raise
    part.replace(path)
    return path


def _download(url: str, part: Path, *, size: int, label: str, progress: bool) -> None:
    """Fill ``part``. A cut connection is taken up again for as long as each try brings something."""
    before, start = -1, part.stat().st_size if part.exists() else 0
    if start > size:
        raise _WrongContentError("what was downloaded before is larger than declared; run again")
    while start < size:
        if start <= before:
            raise ConnectionError(f"the connection ended after {start:,} of {size:,} bytes")
        _stream(url, part, start=start, size=size, label=label, progress=progress)
        before, start = start, part.stat().st_size


def _stream(url: str, part: Path, *, start: int, size: int, label: str, progress: bool) -> None:
    """One connection: append to ``part`` from ``start``, or begin anew where the host cannot resume."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # asked to go on behind the end of the file
            raise _WrongContentError(
                f"it is smaller than the declared {size:,} bytes: the file there has changed"
            ) from None
        raise
    with response:
        if response.status != 206:
            start = 0
        length = response.headers.get("Content-Length")
        if length is not None and start + int(length) != size:
            raise _WrongContentError(f"it has {start + int(length):,} bytes instead of the declared {size:,}")
        with (
            part.open("ab" if start else "wb") as stream,
            tqdm(total=size, initial=start, unit="B", unit_scale=True, desc=label, disable=not progress) as bar,
        ):
            try:
                while block := response.read(1 << 16):
                    if stream.tell() + len(block) > size:
                        raise _WrongContentError(f"it sends more than the declared {size:,} bytes")
                    stream.write(block)
                    bar.update(len(block))
            except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
                logger.debug("%s: %r", url, error)  # the caller sees how far it got


def _note(source: Source) -> str:
    return f". {source.note}" if source.note else ""


def _reason(error: BaseException) -> str:
    """An error's own words, without the wrappers of urllib."""
    inner = getattr(error, "reason", None)
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    if isinstance(inner, OSError):
        return inner.strerror or str(inner)
    return str(inner or getattr(error, "strerror", None) or error)
