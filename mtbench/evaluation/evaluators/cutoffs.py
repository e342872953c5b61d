"""How deep an evaluator may look: the rankings of a file can be too short."""

from __future__ import annotations

from collections.abc import Sequence

from mtbench.evaluation.study import NotAvailableError, Study


def cutoffs(study: Study, wanted: Sequence[int]) -> tuple[list[int], list[str]]:
    """The cut-offs that all rankings are long enough for, and a note about the others.

    A ranking that lists nothing is a miss at any cut-off.

    Raises:
        NotAvailableError: there is no such cut-off.
    """
    whole = study.whole
    heads = whole.heads_of(whole.histories, max(wanted))
    sizes = [len(whole.ranker.galleries[category]) for category in whole.categories]
    enough = [
        k for k in wanted if all(not head or len(head) >= min(k, n) for head, n in zip(heads, sizes, strict=True))
    ]
    if not enough:
        raise NotAvailableError(f"needs {wanted[0]} images for each transaction; the rankings are shorter")
    short = [str(k) for k in wanted if k not in enough]
    return enough, [f"Not told at {' and '.join(short)}: the rankings of the file are shorter."] if short else []
