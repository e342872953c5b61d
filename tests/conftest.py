"""Fixtures that several test files share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Tests run side by side, one process for each processor. With threads for linear algebra beside, they wait for each
# other: on two processors the tests of sweeps took 56 s of processor time instead of 33.
if os.environ.get("PYTEST_XDIST_WORKER"):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the tests in the background ignores Ctrl-C for them, and for all programs that they start: those
    # that are to be ended so would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """All that was imported is out of sight of the garbage collector.

    The firewall, and statsmodels for each correction, look through every object there is: a second or two each time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the published files: ``MTBENCH_DATA``, or ``../shared/data`` beside the project."""
    folder = Path(os.environ.get("MTBENCH_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    lacking = [name for name in ("shoes", "fashioniq", "multiturn_fashioniq") if not (folder / name).is_dir()]
    if lacking:
        why = f"{folder} has no {', '.join(lacking)}: set MTBENCH_DATA to the folder of the published files"
        # Where the files are known to be there, a skipped test would be a silent one.
        (pytest.fail if os.environ.get("MTBENCH_REQUIRE_DATA") else pytest.skip)(why)
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; see `browser`."""
    from browser import browser

    with browser() as found:
        yield found
