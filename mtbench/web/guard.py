"""What keeps the page to the person in front of it: who may ask, and what a browser may do with the answers."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

from mtbench.core.errors import MtbenchError

POLICY = "; ".join(
    (
        "default-src 'none'",
        *("img-src 'self'", "style-src 'self'", "script-src 'self'"),
        *("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"),
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, Chromium sends forms with `Origin: null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def check_host(host: str, *, public: bool) -> None:
    """Refuse to serve other machines unless that is what was asked for."""
    if not public and not is_loopback(host):
        raise MtbenchError(
            f"--host {host} lets other machines in, and there is no password. Add --public if that is what you want"
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def guard(app: Flask, hosts: frozenset[str] | None, largest: int) -> None:
    """Check each request, and mark each answer.

    Args:
        app: the pages.
        hosts: the names that a browser may know this server by, without the port: another one comes from a foreign
            page whose name was bound to this address (DNS rebinding). None for any.
        largest: bytes of a form.
    """
    app.config.update(MAX_CONTENT_LENGTH=largest, MAX_FORM_MEMORY_SIZE=largest, MAX_FORM_PARTS=10)

    def check() -> None:
        if hosts is not None and _name(request.host) not in hosts:
            abort(403, "This address is not one of this server.")
        origin = request.headers.get("Origin") if request.method == "POST" else None
        if (_is_foreign() and not _is_visit()) or (origin is not None and _place(origin) != request.host):
            abort(403, "This came from the page of another site.")

    def mark(response: Response) -> Response:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.before_request(check)
    app.after_request(mark)


def hosts_of(host: str) -> frozenset[str] | None:
    """The names that a server for this machine alone is known by; None for one that others reach, under any name."""
    return frozenset(("localhost", "127.0.0.1", "::1", host.strip("[]").lower())) if is_loopback(host) else None


def _is_foreign() -> bool:
    """Whether the browser says that the page of another site asks."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")


def _is_visit() -> bool:
    """Whether a person follows a link to here, in a window of its own."""
    how = [request.headers.get(f"Sec-Fetch-{name}") for name in ("Mode", "Dest")]
    return request.method in ("GET", "HEAD") and how == ["navigate", "document"]


def _name(host: str) -> str:
    """The name alone; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _place(origin: str) -> str:
    """Name and port; empty where there is none, as of ``null``."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
