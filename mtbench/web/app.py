"""An application to begin with: guarded, with strict templates, pictures, and a page for what goes wrong."""

from __future__ import annotations

from typing import TypeAlias

import jinja2
from flask import Blueprint, Flask, Response, abort, render_template
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from mtbench.web.guard import guard
from mtbench.web.pictures import Pictures

Page: TypeAlias = str | AnyResponse | tuple[str, int]
SAID = {404: "There is no such page.", 405: "There is no such page.", 413: "That was too long to read."}


def application(name: str, pictures: Pictures, *, hosts: frozenset[str] | None, largest: int) -> Flask:
    """An application whose pages extend ``page.html``, and whose first one is the endpoint ``begin``.

    Args:
        name: the package with its ``templates``, ``base.html`` among them, and ``static``.
        pictures: what it gives out.
        hosts, largest: as `guard` takes them.
    """
    app = Flask(name)
    app.jinja_options = {
        "autoescape": True,
        "undefined": jinja2.StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
    }

    def picture(token: str) -> Page:
        found = pictures.by_token(token)
        if found is None:
            abort(404)
        return Response(found, mimetype="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    app.register_blueprint(
        Blueprint("web", __name__, template_folder="templates", static_folder="static", static_url_path="/web")
    )
    app.add_url_rule("/picture/<token>", view_func=picture)
    app.register_error_handler(HTTPException, _error)
    guard(app, hosts, largest)
    return app


def _error(error: HTTPException) -> Page:
    """What went wrong, in a few words."""
    said = error.description if error.code in (403, 404, 410) and error.description else ""
    own = said and not said.startswith("The requested URL")  # not werkzeug's words
    text = said if own else SAID.get(error.code or 500, "Something went wrong here.")
    return render_template("message.html", text=text), error.code or 500
