"""From a port that is free to the last request."""

from __future__ import annotations

import errno
import logging
import signal
import socket
from collections.abc import Callable

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from mtbench.core.errors import MtbenchError


def listen(host: str, *ports: int) -> socket.socket:
    """A socket that listens on the first port that is free; 0 is any. Before long work, and before a file is made.

    Raises:
        MtbenchError: there is none.
    """
    reason: object = ""
    for port in ports:
        try:
            place = host.strip("[]"), port
            return socket.create_server(place, family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128)
        except OSError as error:
            reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror
        except (OverflowError, ValueError) as error:  # no port, no name
            reason = error
    raise MtbenchError(f"cannot listen on {host}, port {ports[0]}: {reason}. Give another --port, or 0 for any")


def server_on(listening: socket.socket, app: Flask) -> BaseWSGIServer:
    """A server with a thread for each request, on a socket of its own."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no list of who asked for what
    host, port = listening.getsockname()[:2]
    return make_server(host, port, app, threaded=True, fd=listening.fileno())


def address(server: BaseWSGIServer) -> str:
    """Where the first page is."""
    return f"http://[{server.host}]:{server.port}/" if ":" in server.host else f"http://{server.host}:{server.port}/"


def run(server: BaseWSGIServer, ready: Callable[[str], None]) -> None:
    """Answer until Ctrl-C or SIGTERM; ``ready`` is called with the address before."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        ready(address(server))
        server.serve_forever()
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would cut the last words off
        server.server_close()
