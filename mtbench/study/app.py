"""The pages of the study: begin, question, done. They work without JavaScript, and know people by a code alone.

Nothing tells which model an image is of: addresses are numbers and hashes, and the order is this participant's own.
An answer says which participant and question it is of, so that one from a page left open elsewhere is not taken for
another; one that cannot be kept is never passed over in silence.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import sqlite3
from collections.abc import Container, Sequence

from flask import Flask, redirect, render_template, request

from mtbench.data.benchmark import Benchmark
from mtbench.study.store import Store
from mtbench.web.app import Page, application
from mtbench.web.pictures import Card, Pictures, size_of

logger = logging.getLogger(__name__)

LETTERS = "ABC"
NEITHER = "0"
LOST = (
    "Your last answer was not kept: this browser does not know who you are. If you have begun before, give your code."
)
LARGEST = 4096
"""Bytes of a form."""


def create_app(store: Store, benchmark: Benchmark, *, hosts: frozenset[str] | None = None) -> Flask:
    """The application of a study.

    Args:
        store: the open file, which knows the questions.
        benchmark: what they are of.
        hosts: as `mtbench.web.guard.guard` takes them.
    """
    pages = Pages(store, benchmark)
    app = application("mtbench.study", pages.pictures, hosts=hosts, largest=LARGEST)
    app.add_url_rule("/", view_func=pages.begin)
    app.add_url_rule("/begin", view_func=pages.consent, methods=["POST"])
    app.add_url_rule("/resume", view_func=pages.resume, methods=["POST"])
    app.add_url_rule("/leave", view_func=pages.leave, methods=["POST"])
    app.add_url_rule("/question/<int:number>", view_func=pages.question)
    app.add_url_rule("/question/<int:number>", view_func=pages.answer, methods=["POST"])
    app.add_url_rule("/code", view_func=pages.code)
    app.add_url_rule("/done", view_func=pages.done)
    app.register_error_handler(sqlite3.Error, pages.busy)
    return app


class Pages:
    """What is shown at each address."""

    def __init__(self, store: Store, benchmark: Benchmark) -> None:
        self.store, self.design = store, store.design
        salt = f"{self.design.identity}\t{self.design.secret}"
        # Cookies are shared by all ports of a machine, and two files of one study have different people.
        self.cookie = f"study-{hashlib.sha256(salt.encode()).hexdigest()[:12]}"
        self.joiner = benchmark.protocol.joiner
        self.dialogues = {t.transaction_id: t for t in benchmark.transactions(str(self.design.about["split"]))}
        self.pictures = Pictures(benchmark, salt)
        for question in self.design.questions:
            references = [turn.reference for turn in self.dialogues[question.transaction_id].turns]
            self.pictures.name([*question.images, *references])

    def begin(self) -> Page:
        """The first page; straight on for who has begun."""
        who = self._who()
        if who is not None:
            return self._next(who)
        return self._render("begin.html", problem=LOST * self._is_lost(), code="")

    def consent(self) -> Page:
        """Take somebody in."""
        if self._who() is not None:  # the button was pressed twice
            return redirect("/", 303)
        if request.form.get("consent") != "yes":
            return self._render("begin.html", problem="Tick the box if you agree to take part.", code=""), 400
        return self._known(self.store.new_participant()[1], "/code")

    def code(self) -> Page:
        """The code to come back with, before the first question."""
        return redirect("/", 303) if self._who() is None else self._render("code.html", code=self._code())

    def resume(self) -> Page:
        """Go on with a code."""
        code = request.form.get("code", "").strip()[:80]
        if self.store.participant(code) is None:
            return self._render("begin.html", problem="Nobody has this code. Is every letter right?", code=code), 404
        return self._known(code)

    def leave(self) -> Page:
        """Forget the code in this browser, for the next person."""
        response = redirect("/", 303)
        response.delete_cookie(self.cookie)
        return response

    def question(self, number: int) -> Page:
        """The ``number``-th question in somebody's own order, from 1; what is answered stays so."""
        who = self._who()
        if who is None:
            return redirect("/", 303)
        given = self._given(who)
        order = self.design.order(who)
        if not 1 <= number <= len(order) or (order[number - 1] not in given and number != _first(order, given)):
            return self._next(who)
        at = order[number - 1]
        question, shown = self.design.questions[at], self.design.shown(at, who)
        said = ""
        if at in given:
            choice = given[at]
            said = NEITHER if choice is None else LETTERS[shown.index(choice)]
        else:
            try:
                self.store.showing(who, at)
            except sqlite3.Error:  # then it is not known how long the answer took, and that is all
                logger.warning("the time of a question is not kept", exc_info=True)
        return self._render(
            "question.html",
            number=number,
            total=len(order),
            answered=len(given),
            turns=[
                (self._card(turn.reference), self.joiner.join(turn.feedback))
                for turn in self.dialogues[question.transaction_id].turns
            ],
            candidates=[
                (letter, place, self._card(question.images[model]))
                for place, (letter, model) in enumerate(zip(LETTERS, shown, strict=False), start=1)
            ],
            said=said,
            lost=self._is_lost(),
            token=self._token(at),
            code=self._code(),
        )

    def answer(self, number: int) -> Page:
        """Keep an answer and go on. One that comes twice, by Back or a second click, changes nothing."""
        who = self._who()
        if who is None:
            return redirect("/?answer=lost", 303)
        order = self.design.order(who)
        if not 1 <= number <= len(order) or not self._is_of(order[number - 1]):
            return self._next(who, lost=True)
        at = order[number - 1]
        shown = self.design.shown(at, who)
        allowed = {str(place): model for place, model in enumerate(shown, start=1)} | {NEITHER: None}
        choice = request.form.get("choice", "")
        given = self._given(who)
        if choice not in allowed or (at not in given and number != _first(order, given)):
            return self._next(who, lost=True)
        if at not in given and self.store.answer(who, at, allowed[choice]):
            return self._next(who)
        given = self._given(who)
        if at not in given:  # whoever it is was removed in the meantime
            return self._next(who, lost=True)
        return self._next(who) if given[at] == allowed[choice] else redirect(f"/question/{number}?answer=lost", 303)

    def busy(self, error: sqlite3.Error) -> tuple[str, int]:
        """The file cannot be read or written now: an answer is offered once more, and nothing is said to be kept."""
        logger.warning("%s cannot be used", self.store.path, exc_info=error)
        again = request.form if request.method == "POST" else {}
        return self._render("busy.html", path=request.path, form=dict(again), method=request.method.lower()), 503

    def done(self) -> Page:
        """Thanks."""
        who = self._who()
        if who is None:
            return redirect("/", 303)
        total = len(self.design.questions)
        if len(self._given(who)) < total:
            return self._next(who)
        return self._render("done.html", total=total, code=self._code(), lost=self._is_lost())

    def _card(self, image_id: str) -> Card:
        """Nothing tells where it comes from, its id neither; and a picture is one that can be shown."""
        jpeg = self.pictures.jpeg(image_id)
        words = self.pictures.words(image_id) or "(no picture)"
        if jpeg is None:
            return Card(image_id, words, (), None)
        return Card(image_id, words, (), self.pictures.address(image_id), size_of(jpeg))

    def _who(self) -> int | None:
        code = self._code()
        return self.store.participant(code) if code else None

    def _given(self, who: int) -> dict[int, int | None]:
        """What somebody has chosen, by question."""
        return {answer.question: answer.choice for answer in self.store.answers(who)}

    def _code(self) -> str:
        return str(request.cookies.get(self.cookie, ""))[:80]

    def _token(self, question: int) -> str:
        """Says whose answer to which question a form gives. Nobody can make it who does not know the code."""
        about = f"{self.design.identity}\t{question}"
        return hmac.new(self._code().encode(), about.encode(), hashlib.sha256).hexdigest()[:32]

    def _is_of(self, question: int) -> bool:
        return hmac.compare_digest(request.form.get("token", "").encode(), self._token(question).encode())

    def _is_lost(self) -> bool:
        """Whether this page follows on an answer that was not kept."""
        return request.args.get("answer") == "lost"

    def _known(self, code: str, then: str = "/") -> Page:
        response = redirect(then, 303)
        response.set_cookie(self.cookie, code, max_age=90 * 86400, httponly=True, samesite="Strict")
        return response

    def _next(self, who: int, *, lost: bool = False) -> Page:
        first = _first(self.design.order(who), self._given(who))
        return redirect(("/done" if first is None else f"/question/{first}") + "?answer=lost" * lost, 303)

    def _render(self, name: str, **values: object) -> str:
        return render_template(name, questions=len(self.design.questions), choices=self.design.candidates, **values)


def _first(order: Sequence[int], given: Container[int]) -> int | None:
    """The place, from 1, of the first question without an answer."""
    return next((place for place, at in enumerate(order, start=1) if at not in given), None)
