"""The pages of the study: begin, question, done. They work without JavaScript, and know people by a code alone.

Nothing tells which model an image is of: addresses are numbers and hashes, and the order is this participant's own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from mtbench.data.benchmark import Benchmark
from mtbench.features.needs import need
from mtbench.study.pictures import Pictures
from mtbench.study.store import Store

POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
LETTERS = "ABC"
NEITHER = "0"


def create_app(store: Store, benchmark: Benchmark, *, hosts: Sequence[str] | None = None) -> Any:
    """The Flask application of a study.

    Args:
        store: the open file, which knows the questions.
        benchmark: what they are of.
        hosts: the names that the server answers to, without ports; None for any. With a list no other site can reach
            a server on this machine through a name of its own (DNS rebinding).

    Raises:
        MtbenchError: Flask is not installed.
    """
    flask = need("flask", extra="chat")
    jinja2 = need("jinja2", extra="chat")
    app = flask.Flask(__name__, static_folder="static", static_url_path="/static")
    app.config.update(MAX_CONTENT_LENGTH=4096, MAX_FORM_PARTS=10)
    app.jinja_options = {"autoescape": True, "undefined": jinja2.StrictUndefined, "trim_blocks": True}
    pages = Pages(flask, store, benchmark)
    app.add_url_rule("/", view_func=pages.begin)
    app.add_url_rule("/begin", view_func=pages.consent, methods=["POST"])
    app.add_url_rule("/resume", view_func=pages.resume, methods=["POST"])
    app.add_url_rule("/leave", view_func=pages.leave, methods=["POST"])
    app.add_url_rule("/question/<int:number>", view_func=pages.question)
    app.add_url_rule("/question/<int:number>", view_func=pages.answer, methods=["POST"], endpoint="answer")
    app.add_url_rule("/done", view_func=pages.done)
    app.add_url_rule("/picture/<token>", view_func=pages.picture)

    def check() -> Any:
        if hosts is not None and _name(flask.request.host) not in hosts:
            return flask.Response("This server does not go by that name.\n", 403, mimetype="text/plain")
        origin = flask.request.headers.get("Origin")
        if flask.request.method == "POST" and origin is not None and urlsplit(origin).netloc != flask.request.host:
            return flask.Response("This form is of another site.\n", 403, mimetype="text/plain")
        return None

    def guard(response: Any) -> Any:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")  # so that Back asks what has been answered
        return response

    app.before_request(check)
    app.after_request(guard)
    return app


def _name(host: str) -> str:
    """The host of a Host header, without the port."""
    return urlsplit(f"//{host}").hostname or ""


def is_local(host: str) -> bool:
    """Whether an address to bind to is reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Pages:
    """What is shown at each address."""

    def __init__(self, flask: Any, store: Store, benchmark: Benchmark) -> None:
        self.flask, self.store, self.design = flask, store, store.design
        self.cookie = f"study-{self.design.identity[:12]}"  # cookies are shared by all ports of a machine
        self.joiner = benchmark.protocol.joiner
        self.dialogues = {t.transaction_id: t for t in benchmark.transactions(str(self.design.about["split"]))}
        self.pictures = Pictures(benchmark, self.design.identity)
        for question in self.design.questions:
            references = [turn.reference for turn in self.dialogues[question.transaction_id].turns]
            self.pictures.name([*question.images, *references])

    def begin(self) -> Any:
        """The first page; straight on for who has begun."""
        who = self._who()
        return self._render("begin.html", problem="", code="") if who is None else self._next(who)

    def consent(self) -> Any:
        """Take somebody in."""
        if self._who() is not None:  # the button was pressed twice
            return self.flask.redirect("/", 303)
        if self.flask.request.form.get("consent") != "yes":
            return self._render("begin.html", problem="Tick the box if you agree to take part.", code=""), 400
        return self._known(self.store.new_participant()[1])

    def resume(self) -> Any:
        """Go on with a code."""
        code = self.flask.request.form.get("code", "").strip()[:80]
        if self.store.participant(code) is None:
            return self._render("begin.html", problem="Nobody has this code. Is every letter right?", code=code), 404
        return self._known(code)

    def leave(self) -> Any:
        """Forget the code in this browser, for the next person."""
        response = self.flask.redirect("/", 303)
        response.delete_cookie(self.cookie)
        return response

    def question(self, number: int) -> Any:
        """The ``number``-th question in somebody's own order, from 1; what is answered stays so."""
        who = self._who()
        if who is None:
            return self.flask.redirect("/", 303)
        given = {answer.question: answer for answer in self.store.answers(who)}
        order = self.design.order(who)
        if not 1 <= number <= len(order) or (order[number - 1] not in given and number != _first(order, given)):
            return self._next(who)
        at = order[number - 1]
        question, shown = self.design.questions[at], self.design.shown(at, who)
        if at in given:
            choice = given[at].choice
            said = NEITHER if choice is None else LETTERS[shown.index(choice)]
        else:
            said = ""
            self.store.showing(who, at)
        return self._render(
            "question.html",
            number=number,
            total=len(order),
            answered=len(given),
            turns=[
                (self._image(turn.reference), self.joiner.join(turn.feedback))
                for turn in self.dialogues[question.transaction_id].turns
            ],
            candidates=[
                (letter, place, self._image(question.images[model]))
                for place, (letter, model) in enumerate(zip(LETTERS, shown, strict=False), start=1)
            ],
            said=said,
            code=self._code(),
        )

    def answer(self, number: int) -> Any:
        """Keep an answer and go on. One that comes twice, by Back or a second click, changes nothing."""
        who = self._who()
        if who is None:
            return self.flask.redirect("/", 303)
        order = self.design.order(who)
        choice = self.flask.request.form.get("choice", "")
        shown = self.design.shown(order[number - 1], who) if 1 <= number <= len(order) else ()
        allowed = {str(place): model for place, model in enumerate(shown, start=1)} | {NEITHER: None}
        if not shown or choice not in allowed:
            return self._next(who)
        self.store.answer(who, order[number - 1], allowed[choice], shown)
        return self._next(who)

    def done(self) -> Any:
        """Thanks."""
        who = self._who()
        if who is None:
            return self.flask.redirect("/", 303)
        answered, total = len(self.store.answers(who)), len(self.design.questions)
        return self._next(who) if answered < total else self._render("done.html", total=total, code=self._code())

    def picture(self, token: str) -> Any:
        """An image of a question."""
        found = self.pictures.by_token(token)
        if found is None:
            self.flask.abort(404)
        response = self.flask.Response(found, mimetype="image/jpeg")
        response.headers["Cache-Control"] = "private, max-age=86400"
        return response

    def _image(self, image_id: str) -> tuple[str | None, str]:
        """Where the picture is, if there is one, and the words of a card."""
        shows = self.pictures.shows(image_id)
        return f"/picture/{self.pictures.token(image_id)}" if shows else None, self.pictures.words(image_id)

    def _who(self) -> int | None:
        code = self._code()
        return self.store.participant(code) if code else None

    def _code(self) -> str:
        return str(self.flask.request.cookies.get(self.cookie, ""))[:80]

    def _known(self, code: str) -> Any:
        response = self.flask.redirect("/", 303)
        response.set_cookie(self.cookie, code, max_age=90 * 86400, httponly=True, samesite="Strict")
        return response

    def _next(self, who: int) -> Any:
        given = {answer.question for answer in self.store.answers(who)}
        first = _first(self.design.order(who), given)
        return self.flask.redirect("/done" if first is None else f"/question/{first}", 303)

    def _render(self, name: str, **values: Any) -> Any:
        candidates = 2 if self.design.way == "pairwise" else 3
        return self.flask.render_template(name, questions=len(self.design.questions), choices=candidates, **values)


def _first(order: Sequence[int], given: Any) -> int | None:
    """The place, from 1, of the first question without an answer."""
    return next((place for place, at in enumerate(order, start=1) if at not in given), None)
