"""An endpoint that speaks the chat completions of OpenAI, whoever runs it: asked politely, believed in nothing.

The key is read from the environment when something is asked; it stands in no option, no record and no message, also
where the endpoint repeats it.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from mtbench.core.errors import MtbenchError

LARGEST = 1 << 20
"""Bytes read of an answer."""

LONGEST_WAIT = 60.0

SECRET = 8
"""Letters of a key that is a secret. Shorter ones, made up for a server of one's own, may be words of an answer."""


class Endpoint:
    """Where questions go.

    Args:
        url: such as http://127.0.0.1:8000/v1; ``/chat/completions`` is added.
        key_variable: the environment variable that holds the key; none is sent where it is not set.
        timeout: seconds to wait for a whole answer, looked at whenever some of it comes.
        retries: how often to try again where it is busy (429), fails (5xx), breaks off or is not in time.
        wait: seconds before the first new try; twice as long before each further one.

    Raises:
        ValueError: an address that is none, or that holds a secret.
    """

    def __init__(self, url: str, *, key_variable: str, timeout: float, retries: int, wait: float) -> None:
        if not (url + key_variable).isprintable() or " " in url:
            raise ValueError("url and key_variable must be of visible signs, url without blanks")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must be an address such as http://127.0.0.1:8000/v1")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("url must hold no name, password or question mark: it is stored in every record")
        _ = parts.port  # a ValueError where it is none
        if not 0 < timeout <= 86_400 or retries < 0 or not wait >= 0:
            raise ValueError("timeout must be above 0 and at most a day, retries and wait 0 or more")
        self.key_variable, self.timeout, self.retries, self.wait = key_variable, timeout, retries, wait
        self._where = f"{url.rstrip('/')}/chat/completions"
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        self._opener = urllib.request.build_opener(_Stay(), *([urllib.request.ProxyHandler({})] if local else []))

    def key(self) -> str:
        """The key of this moment, fit for a header; empty for none.

        Raises:
            MtbenchError: it could not stand in a header.
        """
        key = os.environ.get(self.key_variable, "").strip()
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise MtbenchError(f"the key in {self.key_variable} holds characters that no key has")
        return key

    def ask(self, question: Mapping[str, Any], key: str) -> str:
        """The text of the answer, in one printable line.

        Raises:
            MtbenchError: no answer, or not as it should be.
        """
        for tried in range(self.retries + 1):
            last, pause = tried == self.retries, 0.0
            try:
                return self._text(self._post(question, key), key)
            except urllib.error.HTTPError as error:
                with error:
                    if last or not (error.code == 429 or error.code >= 500):
                        raise MtbenchError(self._refusal(error, key)) from None
                    pause = _seconds(error.headers.get("Retry-After"))
            except TimeoutError:
                if last:
                    raise MtbenchError(f"{self._where} did not answer within {self.timeout:g} seconds") from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                if not _broken_off(error):
                    why = _shown(getattr(error, "strerror", None) or str(error), key)
                    raise MtbenchError(f"{self._where} cannot be reached: {why}") from None
                if last:
                    why = f"breaks off its answer ({type(error).__name__}), tried {self.retries + 1} times"
                    raise MtbenchError(f"{self._where} {why}") from None
            time.sleep(min(max(pause, self.wait * 2**tried), LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")

    def _post(self, question: Mapping[str, Any], key: str) -> bytes:
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._where, json.dumps(question).encode(), headers, method="POST")
        until = time.monotonic() + self.timeout
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                return _read(answer, until)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError as error:
            raise (error.reason if isinstance(error.reason, OSError) else OSError(error.reason)) from None

    def _text(self, content: bytes, key: str) -> str:
        if len(content) > LARGEST:
            raise MtbenchError(f"{self._where} answers with more than {LARGEST:,} bytes")
        try:
            text = json.loads(content)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise MtbenchError(
                f"{self._where} answers with something else than a chat completion: {_shown(_body(content), key)}"
            ) from None
        text = text if isinstance(text, str) else ""
        if len(key) >= SECRET:
            text = text.replace(key, "***")
        kept = " ".join(_printable(text).split())
        if not kept:
            raise MtbenchError(f"{self._where} gives an empty answer")
        return kept

    def _refusal(self, error: urllib.error.HTTPError, key: str) -> str:
        says = f"{self._where} answers {error.code}"
        if error.code in (401, 403):
            return f"{says}: the key in {self.key_variable} {'is refused' if key else 'is not set'}"
        if 300 <= error.code < 400:
            return f"{says}: it has moved; give the new address"
        try:
            content = _read(error, time.monotonic() + self.timeout)
        except (OSError, http.client.HTTPException, ValueError):
            content = b""
        said = _body(content) if len(content) <= LARGEST else ""  # what is cut may end in the midst of the key
        why = _shown(said, key) or _shown(str(error.reason), key)
        return f"{says}: {why}" if why else says


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: the key is for one address alone."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        return None


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:  # a date
        return 0.0


def _broken_off(error: Exception) -> bool:
    """Whether a connection was there and went: it may hold the next time. A refused one was never there."""
    gone = (ConnectionError, http.client.HTTPException, ssl.SSLEOFError)
    return isinstance(error, gone) and not isinstance(error, ConnectionRefusedError)


def _read(answer: Any, until: float) -> bytes:
    """The body of an answer, its first `LARGEST` bytes and some more; never half a body, which may end in half a key.

    The timeout of a socket starts anew with each byte, and so may never end.
    """
    content = b""
    while len(content) <= LARGEST and (more := answer.read1(1 << 16)):
        content += more
        if time.monotonic() > until:
            raise TimeoutError
    if len(content) <= LARGEST and getattr(answer, "length", None):  # what was announced and has not come
        raise http.client.IncompleteRead(content)
    return content


def _body(content: bytes) -> str:
    """What a body says, without the escapes of JSON, some of which would hide a key (``\\/`` is a slash)."""
    text = content.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _shown(text: str, key: str) -> str:
    """The start of what an endpoint says, in a line: the key is hidden before anything is cut."""
    text = text.replace(key, "***") if key else text
    text = " ".join(_printable(text).split())
    return text if len(text) <= 120 else text[:117] + "..."


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)
