"""From a port that is free to the last request."""

from __future__ import annotations

import errno
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from mtbench.core.errors import MtbenchError


class Handler(WSGIRequestHandler):
    """Reads a request that arrives in time, and complains of none: a browser connects before it has a question."""

    timeout = 30
    """Seconds that nothing may come for; an answer may take longer."""

    def log_error(self, format: str, *args: object) -> None:
        """Say nothing of requests that end early or cannot be read; what goes wrong in a page is logged elsewhere."""


def listen(host: str, *ports: int) -> socket.socket:
    """A socket that listens on the first port that is free; 0 is any. Before long work, and before a file is made.

    Raises:
        MtbenchError: there is none.
    """
    reason: object = ""
    other = "--port, or 0 for any"
    for port in ports:
        try:
            place = host.strip("[]"), port
            return socket.create_server(place, family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128)
        except OSError as error:
            reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror
        except OverflowError as error:  # no port
            reason = error
        except (TypeError, ValueError) as error:  # no name
            reason, other = error, "--host"
    raise MtbenchError(f"cannot listen on {host}, port {ports[0]}: {reason}. Give another {other}")


def server_on(listening: socket.socket, app: Flask) -> BaseWSGIServer:
    """A server with a thread for each request, on a socket of its own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no list of who asked for what
    host, port = listening.getsockname()[:2]
    return make_server(host, port, app, threaded=True, request_handler=Handler, fd=listening.fileno())


def address(server: BaseWSGIServer) -> str:
    """Where the first page is."""
    return f"http://[{server.host}]:{server.port}/" if ":" in server.host else f"http://{server.host}:{server.port}/"


def run(server: BaseWSGIServer, ready: Callable[[str], None]) -> None:
    """Answer until Ctrl-C or SIGTERM; ``ready`` is called with the address before, and must not wait for an answer."""
    with _ended_by_sigterm():
        try:
            ready(address(server))
            server.serve_forever()
        except KeyboardInterrupt:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would cut this off
            server.server_close()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM is Ctrl-C in here."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
