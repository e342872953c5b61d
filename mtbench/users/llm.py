"""A user played by a language model behind any endpoint that speaks the chat completions of OpenAI.

The model is shown what is known of two images in words, never their names. What was answered is kept on disk as it
comes, for it may have been paid for: a run that was stopped asks only the rest. Of the key see
`mtbench.users.endpoint`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.core.files import check_folder, json_sha256
from mtbench.users.endpoint import Endpoint
from mtbench.users.protocol import HAS, Situation, World

WORDS = 16
"""Words kept of an answer, as many as the captioner of Guo et al. may say."""

FOLDER = "llm"
"""Where answers are kept, under ``keeps``: a file for each run that asked, so that no two write the same one."""

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
        timeout: seconds to wait for a whole answer.
        retries: how often to try again where the endpoint is busy (429), fails (5xx), breaks off or is not in time.
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
        if not model.isprintable() or parallel < 1:
            raise ValueError("model must be of visible signs, parallel 1 or more")
        self.url, self.model, self.key_variable, self.seed = url.rstrip("/"), model, key_variable, seed
        self.timeout, self.retries, self.wait, self.parallel = timeout, retries, wait, parallel
        self.keeps: Path | None = None
        self._endpoint = Endpoint(url, key_variable=key_variable, timeout=timeout, retries=retries, wait=wait)
        self._answers: dict[str, str] = {}
        self._file: Path | None = None

    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        """What the model answers, its first 16 words.

        Raises:
            MtbenchError: nothing is known of an image in words; the endpoint does not answer, or not as it should; the
                answers kept on disk cannot be read, or none can be written there.
        """
        self._recall()
        asked = [self._question(one, world) for one in situations]
        new = {known_by: question for known_by, question in asked if known_by not in self._answers}
        if new:
            self._ask_all(new)
        return [self._answers[known_by] for known_by, _ in asked]

    def _question(self, one: Situation, world: World) -> tuple[str, dict[str, Any]]:
        text = f"The item shown: {described(one.shown, world)}\nThe item you want: {described(one.target, world)}"
        question = {
            "model": self.model,
            "temperature": 0,
            "seed": self.seed,
            "messages": [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": text}],
        }
        return json_sha256([self.url, question]), question

    def _ask_all(self, new: Mapping[str, Mapping[str, Any]]) -> None:
        """Each question, some at once. After a failure no more are asked; what is on its way is kept all the same."""
        if self._file:
            check_folder(self._file.parent)  # before anything is paid for
        key, stop = self._endpoint.key(), Event()

        def ask(known_by: str, question: Mapping[str, Any]) -> None:
            if stop.is_set():
                return
            try:
                answer = self._endpoint.ask(question, key)
                self._keep(known_by, " ".join(answer.split()[:WORDS]))
            except BaseException:
                stop.set()  # one line is said of it, not one for each question
                raise

        with ThreadPoolExecutor(self.parallel) as pool:
            waiting = [pool.submit(ask, known_by, question) for known_by, question in new.items()]
            try:
                for one in as_completed(waiting):
                    one.result()
            finally:
                stop.set()

    def _recall(self) -> None:
        """The answers of earlier runs. The last line of a file may be torn, where its run was killed in its midst."""
        if self.keeps is None or self._file:
            return
        folder = self.keeps / FOLDER
        for path in sorted(folder.glob("*.jsonl")):
            try:
                *lines, _ = path.read_bytes().split(b"\n")
            except OSError as error:
                raise MtbenchError(f"{path} cannot be read: {error.strerror}") from error
            for number, line in enumerate(lines, 1):
                try:
                    row = json.loads(line)
                    known_by, answer = row["question"], row["answer"]
                    if not (isinstance(known_by, str) and isinstance(answer, str) and answer and answer.isprintable()):
                        raise ValueError
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    what = "holds no answer of a language model; remove the file, and what it held is asked again"
                    raise MtbenchError(f"{path}, line {number}: {what}") from error
                self._answers.setdefault(known_by, answer)
        self._file = folder / f"{time.time_ns()}-{os.getpid()}.jsonl"

    def _keep(self, known_by: str, answer: str) -> None:
        """Remember an answer, on disk as well: a line in one piece, so that those of several threads stay whole."""
        self._answers[known_by] = answer
        if self._file is None:
            return
        line = json.dumps({"question": known_by, "answer": answer}, ensure_ascii=False) + "\n"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as stream:
                stream.write(line.encode())
        except OSError as error:
            raise MtbenchError(f"{self._file} cannot be written: {error.strerror}") from error


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
