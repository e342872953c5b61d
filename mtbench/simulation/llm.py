"""A user played by a language model behind any endpoint that speaks the chat completions of OpenAI.

The model is shown what is known of two images in words, never their names. Its key is read from the environment when
the user is made; it stands in no option, no record and no message.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from mtbench.core.errors import MtbenchError
from mtbench.core.files import json_sha256
from mtbench.simulation.protocol import HAS, Situation, World

WORDS = 16
"""Words kept of an answer, as many as the captioner of Guo et al. may say."""

LARGEST = 1 << 20
"""Bytes read of an answer."""

LONGEST_WAIT = 60.0

INSTRUCTION = (
    "You are shopping and look for one particular item. You are shown another item. Say in one short phrase of at most "
    f"{WORDS} words how the item you want differs from the one shown, such as 'is darker and has long sleeves'. "
    "Answer with the phrase alone."
)


class Llm:
    """Asks a language model what a shopper would say, at temperature 0; the same question is asked once.

    Args:
        url: of the endpoint, such as http://127.0.0.1:8000/v1; ``/chat/completions`` is added.
        model: the name that the endpoint knows it by.
        key_variable: the environment variable that holds the key; none is sent where it is not set.
        seed: passed on, for endpoints that heed it.
        timeout: seconds to wait for an answer.
        retries: how often to try again where the endpoint is busy (429), fails (5xx) or does not answer in time.
        wait: seconds before the first new try; twice as long before each further one.
        parallel: questions asked at once.
    """

    def __init__(
        self,
        *,
        url: str,
        model: str,
        key_variable: str = "OPENAI_API_KEY",
        seed: int = 0,
        timeout: float = 60.0,
        retries: int = 4,
        wait: float = 1.0,
        parallel: int = 4,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must be an address such as http://127.0.0.1:8000/v1")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("url must hold no name, password or question mark: it is stored in every record")
        if timeout <= 0 or retries < 0 or wait < 0 or parallel < 1:
            raise ValueError("timeout must be above 0, retries and wait 0 or more, parallel 1 or more")
        self.url, self.model, self.key_variable, self.seed = url.rstrip("/"), model, key_variable, seed
        self.timeout, self.retries, self.wait, self.parallel = timeout, retries, wait, parallel
        self._where = f"{self.url}/chat/completions"
        self._answers: dict[str, str] = {}
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        proxies = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(_Stay(), *proxies)

    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        """What the model answers, its first 16 words.

        Raises:
            MtbenchError: nothing is known of an image in words; the endpoint does not answer, or not as it should.
        """
        asked = [self._question(one, world) for one in situations]
        new = {key: question for key, question in asked if key not in self._answers}
        with ThreadPoolExecutor(self.parallel) as pool:
            waiting = {key: pool.submit(self._ask, question) for key, question in new.items()}
            try:
                for key, answer in waiting.items():
                    self._answers[key] = answer.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)  # one line is said of it, not one for each question
                raise
        return [self._answers[key] for key, _ in asked]

    def _question(self, one: Situation, world: World) -> tuple[str, dict[str, Any]]:
        text = f"The item shown: {described(one.shown, world)}\nThe item you want: {described(one.target, world)}"
        question = {
            "model": self.model,
            "temperature": 0,
            "seed": self.seed,
            "messages": [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": text}],
        }
        return json_sha256(question), question

    def _ask(self, question: Mapping[str, Any]) -> str:
        for tried in range(self.retries + 1):
            last = tried == self.retries
            try:
                return self._answer(self._post(question))
            except urllib.error.HTTPError as error:
                with error:
                    if last or not (error.code == 429 or error.code >= 500):
                        raise MtbenchError(self._refusal(error)) from None
                    pause = _seconds(error.headers.get("Retry-After"))
            except TimeoutError:
                if last:
                    raise MtbenchError(f"{self._where} did not answer within {self.timeout:g} seconds") from None
                pause = 0.0
            except (OSError, ValueError) as error:  # URLError is an OSError; HTTPException has its own line
                raise MtbenchError(f"{self._where} cannot be reached: {self._hidden(error)}") from None
            time.sleep(min(max(pause, self.wait * 2**tried), LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")

    def _post(self, question: Mapping[str, Any]) -> bytes:
        headers = {"Content-Type": "application/json"}
        if key := self._key():
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._where, json.dumps(question).encode(), headers, method="POST")
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                content: bytes = answer.read(LARGEST + 1)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise error.reason from None
            raise OSError(getattr(error.reason, "strerror", None) or error.reason) from None
        except http.client.HTTPException as error:
            raise OSError(f"no proper answer ({type(error).__name__})") from None
        return content

    def _answer(self, content: bytes) -> str:
        """The text of an answer, its first words."""
        if len(content) > LARGEST:
            raise MtbenchError(f"{self._where} answers with more than {LARGEST:,} bytes")
        try:
            text = json.loads(content)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise MtbenchError(
                f"{self._where} answers with something else than a chat completion: {self._hidden(_start(content))}"
            ) from None
        shown = "".join(sign if sign.isprintable() else " " for sign in text) if isinstance(text, str) else ""
        kept = " ".join(shown.split()[:WORDS])
        if not kept:
            raise MtbenchError(f"{self._where} gives an empty answer (model {self.model})")
        return kept

    def _refusal(self, error: urllib.error.HTTPError) -> str:
        if error.code in (401, 403):
            state = "is refused" if self._key() else "is not set"
            return f"{self._where} answers {error.code}: the key in {self.key_variable} {state}"
        if 300 <= error.code < 400:
            return f"{self._where} answers {error.code}: it has moved; give the new address"
        return f"{self._where} answers {error.code}: {self._hidden(_start(error.read(2000))) or error.reason}"

    def _key(self) -> str:
        """The key, fit for a header."""
        key = os.environ.get(self.key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise MtbenchError(f"the key in {self.key_variable} holds characters that no key has")
        return key

    def _hidden(self, what: object) -> str:
        """A message without the key, should an endpoint repeat it."""
        key = self._key()
        return str(what).replace(key, "***") if key else str(what)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: the key is for one address alone."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        return None


def described(image: str, world: World) -> str:
    """What is known of an image in words: its caption and its traits, never its name.

    Raises:
        MtbenchError: nothing is known.
    """
    known = world.traits(image)
    words = [name if value == HAS else f"{name}: {value}" for name, value in known.items()]
    parts = [world.images[image].caption or "", ", ".join(words)]
    text = "; ".join(part for part in parts if part)
    if not text:
        raise MtbenchError(f"this user speaks of images in words, and {image} has neither caption nor attributes")
    return text


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:  # a date
        return 0.0


def _start(content: bytes) -> str:
    text = " ".join(content.decode("utf-8", "replace").split())
    return text if len(text) <= 120 else text[:117] + "..."
