"""Users as they are typed, named and believed: several of one kind, and what anybody's own class may say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from letters import build_letters

from mtbench.cli import main
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History, Image, Turn
from mtbench.data.benchmark import load
from mtbench.evaluation.ranker import Ranker
from mtbench.models.protocol import Catalogue
from mtbench.simulation.agreement import named
from mtbench.simulation.dialogue import Dialogues, Manner, converse, openings_of
from mtbench.simulation.measures import summary
from mtbench.users.made import parted, user_of
from mtbench.users.nearest_pair import NearestPair
from mtbench.users.protocol import LONGEST_TEXT, Situation, World, heard

NAMES = tuple(f"i{n:03}" for n in range(300))
IMAGES = {name: Image(name, "x", "a thing") for name in NAMES}
GALLERY = {"x": Gallery("test", "x", "split-list", NAMES)}
WORLD = World(IMAGES, Catalogue(IMAGES))


class Forwards:
    """Ranks a gallery in its order, or the other way round."""

    def __init__(self, sign: int = -1) -> None:
        self.sign = sign

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Any:
        return np.tile(self.sign * np.arange(len(image_ids), dtype=np.float32), (len(histories), 1))


class Says:
    """Says whatever it was told to."""

    def __init__(self, said: Any) -> None:
        self.said = said

    def say(self, situations: Sequence[Situation], world: World) -> Any:
        return self.said


class Plain:
    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        return ["another one"] * len(situations)


def talk(sign: int, n: int = 60, **manner: Any) -> Dialogues:
    openings = openings_of(GALLERY, n, 0)
    return converse(Ranker(Forwards(sign), GALLERY, Catalogue(IMAGES)), openings, Plain(), WORLD, Manner(**manner))


# The same users for every model


def test_whoever_changes_their_mind_wants_the_same_of_every_model() -> None:
    one, other = (talk(sign, turns=4, change_of_mind=1.0) for sign in (-1, 1))
    both = (one.lengths == 4) & (other.lengths == 4)
    assert both.sum() > 40
    differ = one.targets[both] != other.targets[both]
    assert differ.mean() < 0.05  # only where one of them has shown the image
    assert all(len(set(row)) > 1 for row in one.targets[both])  # they do change it


def test_what_half_of_the_dialogues_reach_is_a_turn_that_one_of_them_had() -> None:
    found = talk(-1, n=2, turns=4)
    greater = np.full((2, 4), 50)
    greater[0] = 0
    two = Dialogues(
        found.openings, found.targets, found.shown, found.said, greater, found.equal, found.candidates,
        found.lengths, found.found,
    )  # fmt: skip
    assert summary(two)["turns_to_success"] == {"within": 10, "median": None, "share": 0.5}


# What anybody's own class may say

TWO = [Situation("x", "i000", "i001"), Situation("x", "i002", "i003")]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "in a list, not None"),
        ("is red", "in a list, not str"),
        ((text for text in ("a", "b")), "in a list, not generator"),
        (["is red"], "not 1"),
        (["is red", None], "is no text but None"),
        (["is red", ""], "is blank"),
        (["is red", " \n\t"], "is blank"),
        (["is red", "a\x1bb"], r"holds U\+001B"),
        (["is red", "a\u202eb"], r"holds U\+202E"),
        (["is red", "a\ud800"], r"holds U\+D800"),
        (["is red", "a" * (LONGEST_TEXT + 1)], "has 2,001 signs"),
    ],
)
def test_what_could_not_be_saved_and_built_is_refused_in_a_line(said: Any, words: str) -> None:
    with pytest.raises(MtbenchError, match=rf"^Says\.say must return one text for each of 2 situations.*{words}") as no:
        heard(Says(said), TWO, WORLD)
    assert str(no.value).isprintable()


NASTY = ["ist rot, größer & «teurer»", "👩‍👧 emoji", "a\nb\tc", '"quoted", \\ and {}', "红色的鞋", "x" * LONGEST_TEXT]


def test_whatever_is_heard_can_be_built(tmp_path: Path) -> None:
    build_letters(tmp_path)
    code = ["class Odd:", "    def say(self, situations, world):", f"        said = {NASTY!r}"]
    code += [f"        return [said[one.seed % {len(NASTY)}] for one in situations]"]
    (tmp_path / "odd.py").write_text("\n".join(code))
    options = ["--benchmark", tmp_path / "letters", "--dialogues", 30, "--turns", 3, "--out", tmp_path / "talks"]
    printed("simulate", "random", *options, "--simulator", f"{tmp_path / 'odd.py'}:Odd")
    (file,) = (tmp_path / "talks").glob("*/dialogues.jsonl")
    words = {text for line in file.read_text().splitlines() for text in re.findall("größer|emoji|红色", line)}
    assert words
    printed("build", "dialogues", "--raw", file, "--out", tmp_path / "built")
    assert load(tmp_path / "built").transactions("test")


def test_odd_blanks_of_annotators_are_no_hindrance() -> None:
    class Pictures:
        proxy, reads_text = "image", False

        def images(self, image_ids: Sequence[str]) -> Any:
            return np.eye(300, dtype=np.float32)[[int(image[1:]) for image in image_ids]]

    turns = [("x", Turn("i001", ("is\u00a0red\r", "and  long "), "i000"))]
    user = NearestPair()
    world = World(IMAGES, Catalogue(IMAGES, features=Pictures), turns)  # type: ignore[arg-type]
    user.learn(world)
    assert heard(user, [Situation("x", "i000", "i001")], world) == ["is red and and long"]


# As typed


def printed(*words: object) -> str:
    found = CliRunner().invoke(main, [str(word) for word in words], prog_name="mtbench")
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.mark.parametrize(
    ("typed", "name", "options"),
    [
        ("template", "template", {}),
        ("attributes,n=1", "attributes", {"n": "1"}),
        ("my/odd,er.py:Odd,loud=yes,key-name=2", "my/odd,er.py:Odd", {"loud": "yes", "key_name": "2"}),
        ("llm,url=http://x/?a,b,model=m", "llm", {"url": "http://x/?a,b", "model": "m"}),
        ("attributes,3", "attributes,3", {}),  # there is no such simulator, which will be said
    ],
)
def test_users_carry_options_of_their_own(typed: str, name: str, options: Mapping[str, str]) -> None:
    assert parted(typed) == (name, options)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("attributes,3", "Did you mean 'attributes'"),
        ("attributes,n=1,n=2", "gives n twice"),
        (",n=1", "no simulator named"),
        ("attributes,m=1", "no such option"),
        ("attributes,n=0", "n must be 1 or more"),
    ],
)
def test_users_that_cannot_be_read_are_refused_in_a_line(typed: str, words: str) -> None:
    with pytest.raises(MtbenchError, match=words):
        user_of(typed)


def test_users_that_differ_in_options_are_told_apart_everywhere(tmp_path: Path) -> None:
    build_letters(tmp_path)
    (tmp_path / "loud.py").write_text(
        "class Loud:\n    def __init__(self, *, n: int = 1):\n        self.n = n\n\n"
        "    def say(self, situations, world):\n        return ['RED ' * self.n for _ in situations]\n"
    )
    users = [word for n in (1, 2, 3) for word in ("--simulator", f"{tmp_path / 'loud.py'}:Loud,n={n}")]
    options = ["--benchmark", tmp_path / "letters", "--dialogues", 9, "--turns", 2, "--out", tmp_path / "talks"]
    text = printed("simulate", "random", "bm25", "bm25", *options, *users, "--picture", tmp_path / "turns.svg")
    assert len(re.findall(r"^random +Loud n=\d", text, re.MULTILINE)) == 3
    assert len(re.findall(r"^bm25 +Loud n=\d", text, re.MULTILINE)) == 6  # scores, and gains over random
    assert re.search(r"^Loud n=1 +Loud n=3 ", text, re.MULTILINE)
    assert str(tmp_path / "loud.py") not in text
    assert all(f"Loud n={n}" in (tmp_path / "turns.svg").read_text() for n in (1, 2, 3))
    found = json.loads(printed("simulate", "random", "bm25", *options, *users, "--json"))
    assert [one["simulator"]["options"] for one in found["simulations"]] == [{"n": str(n)} for n in (1, 1, 2, 2, 3, 3)]
    assert [one["simulator"]["name"] for one in named(found["simulations"])][::2] == [f"Loud n={n}" for n in (1, 2, 3)]
    assert [row["simulator"] for row in found["against_first"]] == [f"Loud n={n}" for n in (1, 2, 3)]
    assert len(list((tmp_path / "talks").iterdir())) == 6
