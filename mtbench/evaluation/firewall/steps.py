"""The checks themselves, in an order in which no model that is alive can have seen other answers.

A cheat may keep what it finds. So a first model is asked everything that needs the true answers and let go; then
come those that see permuted answers and none; only then the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History
from mtbench.evaluation.firewall.data import CheckData, with_beginnings
from mtbench.evaluation.firewall.trial import Rows, Trial, changed, distance, odd_histories, raw, told
from mtbench.evaluation.record import plain

PASS, FAIL, SKIPPED, INFO = "pass", "fail", "not applicable", "info"

TOLERANCE = 1e-4
"""How far scores may move, as a share of the largest of their row, where arithmetic is done in another order: float32
moves by about 1e-6, and half precision by 1e-3, which changes rankings. What moves less than this counts as equal."""

ALONE = 24
"""Histories asked one at a time."""

CHECKS = ("contract", "finite", "determinism", "batch", "targets", "gallery", "unchanged")
NOTES = ("speed", "history", "reference", "feedback")
"""Not judged: a model may be slow, and need not look at the image."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name.
        status: ``pass``, ``fail``, ``not applicable`` or ``info``.
        text: what was found, and for a failure what to do.
    """

    check: str
    status: str
    text: str


class Steps:
    """Runs the checks on one kind of model.

    Args:
        make: makes the model anew.
        plugin: its class.
        data: what it is asked.
        takes_seed: whether its constructor has an option ``seed``.
    """

    def __init__(self, make: Callable[[], Any], plugin: type, data: CheckData, *, takes_seed: bool) -> None:
        self.make, self.plugin, self.data, self.takes_seed = make, plugin, data, takes_seed
        self._true: Rows = []
        self._whole: Rows = []
        self._chosen: dict[str, Any] = {}
        self._noise = 0.0
        self._found: dict[str, Finding] = {}

    def run(self) -> tuple[Finding, ...]:
        """Every finding, in the order of `CHECKS`, then `NOTES`."""
        first: list[Trial] = []
        if self._do("contract", lambda: self._contract(first)):
            trial = first.pop()
            self._do("finite", lambda: self._finite(trial))
            if self._true:
                self._do("unchanged", lambda: self._unchanged(trial))
                repeatable = self._do("determinism", lambda: self._determinism(trial))
                del trial  # with all that it may have kept
                if repeatable:
                    self._do("targets", self._targets)
                    self._last()
                else:
                    self._skip("it does not repeat itself, so that nothing can be compared")
            else:
                self._skip("its scores are not finite, so that nothing can be ranked")
        else:
            self._skip("the contract comes first")
        return tuple(self._found[name] for name in (*CHECKS, *NOTES) if name in self._found)

    def _do(self, name: str, step: Callable[[], tuple[bool, str]]) -> bool:
        """Note what a step found; an exception of the model is a failure with its place in the model's file."""
        try:
            good, text = step()
        except (Exception, SystemExit) as error:
            good, text = False, told(error, self.plugin)
        status = INFO if name in NOTES else PASS if good else FAIL
        self._found[name] = Finding(name, status, text)
        return status != FAIL

    def _skip(self, why: str) -> None:
        for name in CHECKS:
            self._found.setdefault(name, Finding(name, SKIPPED, why))

    def _contract(self, keep: list[Trial]) -> tuple[bool, str]:
        trial = Trial(self.make, self.data)
        self._chosen = plain(trial.chosen, "`fit`")
        try:
            self._true = trial.scores()
        except MtbenchError:
            if trial.is_finite(trial.histories):
                raise
        with suppress(Exception):  # on single turns, say: for another check to tell
            self._whole = trial.scores(with_beginnings(trial.transactions, self.data.joiner))
        keep.append(trial)
        kind = "a scoring model" if trial.scoring else f"an embedding model ({trial.model.similarity})"
        fit = f"; `fit` chose {json.dumps(self._chosen)}" if self._chosen else "" if trial.fits else "; no `fit`"
        flat = bool(self._true) and all(np.ptp(row) == 0 for row in self._true)
        return True, f"{kind}{fit}" + ("; gives all images one score, so that the rest shows little" if flat else "")

    def _finite(self, trial: Trial) -> tuple[bool, str]:
        cases = {"the histories as they are": trial.histories, **odd_histories(trial)}
        bad = []
        for case, histories in cases.items():
            try:
                if not trial.is_finite(histories):
                    bad.append(f"NaN or infinity for {case}")
                else:
                    trial.scores(trial.asking(histories))
            except Exception as error:
                bad.append(f"for {case}: {told(error, self.plugin)}")
        if bad:
            return False, f"{'; '.join(bad)}. Give every image a finite score, whatever is asked"
        return True, f"also for {', '.join(list(cases)[1:])}"

    def _unchanged(self, trial: Trial) -> tuple[bool, str]:
        for histories in trial.by_category(trial.histories):
            before = repr(histories)
            raw(trial, histories)
            if repr(histories) != before:
                return False, "the model changes the histories it is given: copy what is to be edited"
        what = trial.changed_data()
        if what:
            return False, f"the model changes {what}: other models read it too. Copy what is to be edited"
        return True, "histories, folds and catalogue are as they were"

    def _determinism(self, trial: Trial) -> tuple[bool, str]:
        seed = "draw from a generator made of the option `seed`"
        if not self.takes_seed:
            seed = "give the constructor an option `seed` and draw from it alone"
        scores = trial.scores()
        again, worst = distance(self._true, scores)
        if changed(self._true, scores, TOLERANCE):
            n = f"{again} of {len(self._true)} histories"
            return False, f"asked twice, one model gives other scores for {n}. Keep nothing between calls; {seed}"
        second = Trial(self.make, self.data)
        scores = second.scores()
        other, apart = distance(self._true, scores)
        if changed(self._true, scores, TOLERANCE) or plain(second.chosen, "`fit`") != self._chosen:
            what = f"other scores for {other} of {len(self._true)} histories" if apart else "another choice by `fit`"
            return False, f"two models with one seed give {what} (up to {apart:.0%} of the largest score): {seed}"
        self._noise = max(worst, apart)
        if self._noise:
            return True, f"to {self._noise:.0e} of the largest score, not to the last bit"
        return True, "two models with one seed, and one asked twice, agree to the last bit"

    def _targets(self) -> tuple[bool, str]:
        n = len(self._true)
        for answers, how in (("permuted", "given to other histories"), ("removed", "removed")):
            try:
                scores = Trial(self.make, self.data, answers).scores()  # type: ignore[arg-type]
            except Exception as error:
                return False, f"with the answers {how} it fails: {told(error, self.plugin)}"
            moved = changed(self._true, scores, 2 * self._noise)
            if moved:
                return False, (
                    f"with the answers {how}, the scores of {moved} of {n} histories change: the model finds its "
                    "targets (call stack, objects in memory). It may read the histories and the catalogue alone"
                )
        within = f", within the {self._noise:.0e} by which it repeats itself" if self._noise else " to the last bit"
        return True, f"the scores of {n} histories stay the same{within} with answers permuted, and with none"

    def _last(self) -> None:
        """What a third model, asked one history at a time first, can tell."""
        made: list[Trial] = []
        if not self._do("batch", lambda: self._batch(made)) and not made:
            return self._skip("the model could not be made once more")
        trial = made.pop()
        self._do("gallery", lambda: self._gallery(trial))
        self._do("speed", lambda: (True, trial.speed(ALONE)))
        notes: dict[str, tuple[Callable[[History], History | None], str]] = {
            "history": (lambda history: history.last(1), "the earlier turns are dropped"),
            "reference": (trial.other_reference, "the last reference is another image"),
            "feedback": (trial.other_feedback, "the last feedback is another one"),
        }
        for name, (edit, how) in notes.items():
            self._do(name, partial(self._use, trial, edit, how))
        return None

    def _batch(self, keep: list[Trial]) -> tuple[bool, str]:
        trial = Trial(self.make, self.data)
        keep.append(trial)
        queries = with_beginnings(trial.transactions, self.data.joiner)
        limit = TOLERANCE + 2 * self._noise
        order = np.random.default_rng(0).permutation(len(queries))
        some = np.unique(np.linspace(0, len(queries) - 1, ALONE).astype(int))
        # Alone first: a model that keeps its answers has none yet from a batch.
        try:
            alone = [trial.scores([queries[row]])[0] for row in some]
        except Exception as error:
            return False, f"asked for one history alone it fails: {told(error, self.plugin)}"
        shuffled = trial.scores([queries[row] for row in order])
        why = "A row must depend on its own history alone"
        if not self._whole:
            return False, "it cannot rank for the beginnings of these histories, the first turn alone among them"
        in_order, chosen = ([self._whole[row] for row in rows] for rows in (order, some))
        moved = changed(chosen, alone, limit)
        if moved:
            return False, f"asked alone, {moved} of {len(some)} histories get other scores than in a batch. {why}"
        moved = changed(in_order, shuffled, limit)
        if moved:
            return False, f"in another order, {moved} of {len(queries)} histories of a batch get other scores. {why}"
        worst = max(distance(in_order, shuffled)[1], distance(chosen, alone)[1])
        within = f" (to {worst:.0e} of the largest score)" if worst else ""
        return True, f"one at a time, shuffled, or beside its own later turns: a history gets the same scores{within}"

    def _gallery(self, trial: Trial) -> tuple[bool, str]:
        scores = trial.scores(galleries=_shuffled(self.data.galleries()))
        moved = changed(self._true, scores, TOLERANCE + 2 * self._noise)
        if moved:
            return False, (
                f"with the gallery in another order, {moved} of {len(self._true)} histories give images other scores: "
                "a score must depend on the image, not on its place in the gallery"
            )
        return True, "the place of an image in the gallery does not matter"

    def _use(self, trial: Trial, edit: Callable[[History], History | None], how: str) -> tuple[bool, str]:
        rows = {query.history: row for query, row in zip(trial.queries, self._true, strict=True)}
        edited = [(history, new) for history in rows if (new := edit(history)) is not None and new != history]
        if not edited:
            return True, "cannot be told on this data"
        scores = trial.scores(trial.asking([new for _, new in edited]))
        limit = TOLERANCE + 2 * self._noise
        moved = changed([rows[history] for history, _ in edited], scores, limit, ranking=True)
        used = "used" if moved else "not used on this data"
        return True, f"{used}: {moved} of {len(edited)} rankings change when {how}"


def _shuffled(galleries: Mapping[str, Gallery]) -> dict[str, Gallery]:
    generator = np.random.default_rng(0)
    return {
        name: Gallery(g.split, name, g.rule, tuple(g.image_ids[i] for i in generator.permutation(len(g))))
        for name, g in galleries.items()
    }
