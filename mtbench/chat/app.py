"""The pages: one for a moment of a dialogue, one to pick an image from, and the steps between them as forms.

A step is a POST that answers with the address of the next moment, so that reload and the back button do no harm.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from flask import Flask, abort, redirect, render_template, request, url_for

from mtbench.chat.answers import TOP, Answerer
from mtbench.chat.dialogue import LONGEST, Dialogue
from mtbench.chat.save import Saver
from mtbench.chat.store import Store
from mtbench.chat.view import view
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery
from mtbench.data.benchmark import Benchmark
from mtbench.web.app import Page, application
from mtbench.web.pictures import Pictures

PER_PAGE = 48
LARGEST = 64 << 10
"""Bytes of a form: more than the longest text, so that what is too long for us is said on the page."""


class Pages:
    """The pages of one benchmark and one or two systems.

    Args:
        benchmark: what is talked about.
        answerers: who answers, the first of them chooses the next image unless the person does.
        saver: where dialogues are kept.
    """

    def __init__(self, benchmark: Benchmark, answerers: Sequence[Answerer], saver: Saver) -> None:
        self.benchmark = benchmark
        self.answerers = answerers
        self.saver = saver
        self.galleries: Mapping[str, Gallery] = answerers[0].system.galleries
        self.members = {name: frozenset(gallery.image_ids) for name, gallery in self.galleries.items()}
        self.words = {
            image: " ".join((shown.caption or "", *shown.attributes, image)).casefold()
            for image, shown in benchmark.images.items()
        }
        # Every server is on port 8000, and a browser keeps pictures: those of another benchmark have other addresses.
        self.pictures = Pictures(benchmark, f"{benchmark.revision}\t{benchmark.image_folder}")
        for gallery in self.galleries.values():
            self.pictures.name(gallery.image_ids)
        self.store = Store()

    def begin(self) -> Page:
        """A new dialogue about a random image."""
        category = request.args.get("category") or next(iter(self.galleries))
        if category not in self.galleries:
            abort(404, "There is no such category.")
        return redirect(url_for("show", moment=self.store.begin(list(self.galleries).index(category))), 303)

    def show(self, moment: str) -> Page:
        """A moment of a dialogue."""
        dialogue = self._dialogue(moment)
        return render_template(
            "dialogue.html",
            moment=moment,
            dialogue=dialogue,
            view=view(dialogue, self.answerers, self.pictures, len(self.galleries[dialogue.category])),
            saver=self.saver,
        )

    def pick(self, moment: str, purpose: str) -> Page:
        """All images of the gallery, to pick the first one or the wanted one from."""
        dialogue = self._dialogue(moment)
        if purpose not in ("first", "target"):
            abort(404)
        query = request.args.get("q", "")[:LONGEST]
        wanted, images = query.casefold().split(), self.galleries[dialogue.category].image_ids
        found = [image for image in images if all(word in self.words[image] for word in wanted)]
        pages = max(1, -(-len(found) // PER_PAGE))
        page = min(max(1, request.args.get("page", 1, int)), pages)
        shown = self.pictures.cards(found[(page - 1) * PER_PAGE : page * PER_PAGE])
        return render_template(
            "pick.html", moment=moment, purpose=purpose, query=query, n=len(found), cards=shown, page=page, pages=pages
        )

    def step(self, moment: str, action: str) -> Page:
        """One step; what cannot be done is said at a moment of its own, which is otherwise as this one."""
        steps: Mapping[str, Callable[[Dialogue], Dialogue]] = {
            "say": lambda d: d.say(self._image(d), request.form.get("text", "")),
            "choose": lambda d: d.choose(self._image(d)),
            "first": lambda d: Dialogue(d.category, now=self._image(d), target=d.target),
            "another": lambda d: Dialogue(d.category, now=self._any(d.category, but=d.now), target=d.target),
            "target": lambda d: d.aim(self._image(d)),
            "no-target": lambda d: d.aim(None),
            "drop": lambda d: d.drop(_turn()),
            "earlier": lambda d: d.move(_turn(), -1),
            "later": lambda d: d.move(_turn(), 1),
            "back": lambda d: d.back(_turn()),
            "save": lambda d: replace(d, saved=self.saver.save(d), problem=""),
        }
        if action not in steps:
            abort(404)
        if request.method != "POST":  # the address of a step that was too long to read
            return redirect(url_for("show", moment=moment), 303)
        dialogue = self._dialogue(moment)
        try:
            after = steps[action](dialogue)
        except MtbenchError as error:
            after = replace(dialogue, draft=request.form.get("text", dialogue.draft), problem=str(error))
        after = replace(after, at=_place(action, len(after.turns)) if not after.problem else "")
        return redirect(url_for("show", moment=self.store.put(after), _anchor=after.at or None), 303)

    def _dialogue(self, moment: str) -> Dialogue:
        found = self.store.get(moment)
        if found is not None:
            return found
        number = self.store.begun(moment)
        if number is None:
            abort(410, "This dialogue is no longer here: it ended with the server, or it is too long ago.")
        category, rng = list(self.galleries)[number], random.Random(moment)
        return Dialogue(category, now=self._any(category, rng=rng), id=f"{rng.getrandbits(48):012x}")

    def _image(self, dialogue: Dialogue) -> str:
        """The image that a form names, of this gallery."""
        image = request.form.get("image", "")
        if image not in self.members[dialogue.category]:
            raise MtbenchError("There is no such image here.")
        return image

    def _any(self, category: str, but: str | None = None, rng: random.Random | None = None) -> str:
        images = self.galleries[category].image_ids
        return (rng or random.Random()).choice([image for image in images if image != but] or images)


def create_app(
    benchmark: Benchmark, answerers: Sequence[Answerer], saver: Saver, *, hosts: frozenset[str] | None
) -> Flask:
    """The application; ``hosts`` as `mtbench.web.guard.guard` takes them."""
    pages = Pages(benchmark, answerers, saver)
    app = application("mtbench.chat", pages.pictures, hosts=hosts, largest=LARGEST)
    app.jinja_env.globals.update(
        name=benchmark.name,
        names=[a.name for a in answerers],
        categories=list(pages.galleries),
        longest=LONGEST,
        top=TOP,
    )
    app.add_url_rule("/", "begin", pages.begin)
    app.add_url_rule("/d/<moment>", "show", pages.show)
    app.add_url_rule("/d/<moment>/pick/<purpose>", "pick", pages.pick)
    app.add_url_rule("/d/<moment>/<action>", "step", pages.step, methods=["GET", "POST"])
    return app


def _turn() -> int:
    return request.form.get("turn", 0, int)


def _place(action: str, turns: int) -> str:
    """The part of the page that a step was about; empty for the words that come next."""
    if action in ("target", "no-target", "save"):
        return "goal"
    moved = {"earlier": -1, "later": 1, "drop": 0}
    return f"turn{min(_turn() + moved[action], turns)}" if action in moved and turns else ""
