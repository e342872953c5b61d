"""Guo et al. (2018), whole: trainings of the Dialog Manager, several users, and every model of the toolkit beside.

    python benchmarks/dialog_manager.py [--data ../shared/data] [--board shoebox images shoes] [--seeds 3] [--work DIR]
        [--quick] [--json]

Boards: the shoebox of 1,200 images, known by their captions; the same known by their pixels; and Shoes with words in
the place of pictures (TF-IDF and MiniLM of captions).
Users: on the shoebox one who names 3, 1 or 10 attributes ("more X, less Y"), and one who speaks in sentences
(template); on Shoes, whose images have no attributes, one who repeats what an annotator said of the most similar
training pair, and one who learned to speak as annotators do (captioner).
Trainings: each Dialog Manager learns with the user that it then talks to, on training images alone: supervised (SL),
and from that checkpoint self-critical REINFORCE (RL) and model-based policy improvement (MBPI), both with the hinge of
SL beside their loss, and alone as in the paper.
Beside them, with the same first images and targets: baselines, and where words stand for images the models that learn
from annotated dialogues or pairs. Rocchio reads no words, and ewma none where pixels stand for images.

Printed: rank percentile of the target on test, differences, what becomes of a Dialog Manager that talks with another
user than it learned with, Kendall's tau of the order of models by pairs of users, and what captioners are worth. In %,
95% intervals over targets and seeds. Options were chosen on dev of the shoebox, two of them before images were held
out for it. Each step is printed as the command that does the same, and none is done again that --work has. A picture of
each board is in --work. With --quick: one seed, one user a board, few dialogues and epochs; its figures say only that
everything runs.
"""

from __future__ import annotations

import common  # isort: skip  # first: it sets one thread

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loop import Talks, cell, gains, orders
from models import BOARDS as PUBLISHED
from models import OF_TURNS, TRAINED, Board, Runner, told
from tabulate import tabulate

from mtbench.cli.simulation_tables import learned_line
from mtbench.core.text import points, points_range
from mtbench.simulation.dialogue import Manner
from mtbench.simulation.picture import draw
from mtbench.simulation.simulate import SimulateSettings, simulate

Options = Mapping[str, object]


@dataclass(frozen=True)
class User:
    """A simulator with its options.

    Attributes:
        title: for the table.
        name: of the simulator.
        options: of it.
        slow: whether it takes so long to speak that only SL is trained: a captioner, ten times as long as the others.
    """

    title: str
    simulator: str
    slow: bool = False


SHOEBOX = ("shoebox", "--raw", "{work}/shoebox-raw")
BOARDS: dict[str, Board] = {
    "shoebox": Board("shoebox, 1,200 images, known by captions", SHOEBOX, (("--encoder", "tfidf"),), "tfidf"),
    "images": Board("shoebox, 1,200 images, known by pixels", SHOEBOX, (("--encoder", "pixels"),), "pixels"),
    "shoes": PUBLISHED["shoes"],
}
BY_ATTRIBUTES = (
    User("attributes, n = 3", "attributes,n=3"),
    User("attributes, n = 1", "attributes,n=1"),
    User("attributes, n = 10", "attributes,n=10"),
    User("template", "template"),
)
USERS: dict[str, tuple[User, ...]] = {
    "shoebox": BY_ATTRIBUTES,
    "images": BY_ATTRIBUTES,
    "shoes": (User("nearest-pair", "nearest-pair"), User("captioner", "captioner", slow=True)),
}
TRAININGS: dict[str, Options] = {
    "RL": {"training": "rl"},
    "MBPI": {"training": "mbpi"},
    "RL alone": {"training": "rl", "supervise": 0},
    "MBPI alone": {"training": "mbpi", "supervise": 0},
}
BASELINES: dict[str, Options] = {
    "whittle-search": {"ties": "random"},  # as the paper: of equal images a random one is shown next
    **{name: {} for name in ("rocchio", "bm25", "ewma", "lookup", "random")},
}
DRAWN = ("SL", *TRAININGS, "whittle-search", "bm25", "ewma", "lstm")
"""Models in the picture."""

QUICK: Options = {"epochs": 3, "dialogues": 512, "improve_epochs": 1, "improve_dialogues": 64, "dev_dialogues": 64}


class Comparison:
    """One board."""

    def __init__(self, runner: Runner, options: argparse.Namespace) -> None:
        self.runner, self.quick = runner, options.quick
        self.out = runner.results.parent.parent / "simulations" / runner.name
        self.dialogues = 100 if options.quick else options.dialogues
        self.seeds = range(1 if options.quick else options.seeds)
        self.users = USERS[runner.name][: 1 if options.quick else None]

    def run(self) -> dict[str, Any]:
        """Everything about the board, as JSON, and its picture in ``--work``."""
        managers = {user.title: self.managers(user) for user in self.users}
        others: dict[str, list[tuple[str, Options]]] = {n: [(n, own)] for n, own in BASELINES.items()}
        if self.runner.board.features != "pixels":  # which stand for no words, and these models have none of their own
            others |= self.memories()
        every = []
        for user in self.users:
            models = {name: [(str(path), {}) for path in paths] for name, paths in managers[user.title].items()}
            every += [self.talk(name, systems, user) for name, systems in {**models, **others}.items()]
        picture = self.out.parent / f"{self.runner.name}.svg"
        draw([talks.line for talks in every if talks.model in DRAWN], picture)
        learned = {talks.user: talks.records[0]["learned"] for talks in every}
        return {
            **{"title": self.runner.board.title, "quick": self.quick, "picture": str(picture)},
            "rows": [talks.row for talks in every],
            "differences": gains(list(self.pairs(every))),
            "transfer": [talks.row for talks in self.transfer(managers)],
            "order": orders([talks for talks in every if talks.model != "random"]),
            "learned": {user: about for user, about in learned.items() if about},
        }

    def managers(self, user: User) -> dict[str, list[Path]]:
        """The checkpoints of every training with a user, by seed."""
        options: dict[str, object] = {**(QUICK if self.quick else {}), "simulator": user.simulator}
        trainings = {} if user.slow else TRAININGS
        found: dict[str, list[Path]] = {name: [] for name in ("SL", *trainings)}
        for seed in self.seeds:
            start = self.runner.train("dialog-manager", seed, options)
            found["SL"].append(start)
            for name, training in trainings.items():
                also = {**training, "start": str(start)}
                found[name].append(self.runner.train("dialog-manager", seed, {**options, **also}))
        return found

    def memories(self) -> dict[str, list[tuple[str, Options]]]:
        """What learns from annotated dialogues and pairs, by seed: checkpoints, and sums of what one of them makes."""
        found: dict[str, list[tuple[str, Options]]] = {}
        for seed in self.seeds:
            short: Options = {"epochs": 1} if self.quick else {}
            below = self.runner.train("combiner", seed, {**self.runner.board.combiner, **short})
            found.setdefault("combiner", []).append((str(below), {}))
            found.setdefault("ewma of combiner", []).append(("ewma", {"combiner": str(below)}))
            for name in TRAINED[:1] if self.quick else TRAINED:
                options = {"combiner": below, **self.runner.board.memory} if name in OF_TURNS else {}
                found.setdefault(name, []).append((str(self.runner.train(name, seed, {**options, **short})), {}))
        return found

    def talk(self, model: str, systems: Sequence[tuple[str, Options]], user: User) -> Talks:
        """A method, as one system for each seed, with one user."""
        return Talks(user.title, model, [self._simulated(name, options, user) for name, options in systems], self.out)

    def _simulated(self, name: str, options: Options, user: User) -> dict[str, Any]:
        features = self.runner.board.features
        typed = {key: str(value) for key, value in options.items()}
        words = [f" --set {key}={value}" for key, value in typed.items()]
        words += [f" --dialogues {self.dialogues} --features {features} --out {self.out}"]
        told(f"simulate {name} --benchmark {self.runner.folder} --simulator {user.simulator}{''.join(words)}")
        settings = SimulateSettings(
            simulator=user.simulator,
            features=features,
            options=typed,
            dialogues=self.dialogues,
            manner=Manner(turns=5),
        )
        return simulate(name, self.runner.benchmark, self.out, settings)

    def transfer(self, managers: Mapping[str, Mapping[str, Sequence[Path]]]) -> list[Talks]:
        """Every SL training with every user: whether it learned a task, or one user's ways."""
        return [
            self.talk(trained, [(str(path), {}) for path in managers[trained]["SL"]], user)
            for trained in managers
            for user in self.users
        ]

    def pairs(self, every: Sequence[Talks]) -> Iterable[tuple[Talks, Talks]]:
        """What is tested: each training over SL, and SL over the best that is classical."""
        found = {(talks.user, talks.model): talks for talks in every}
        for user in self.users:
            start = found[user.title, "SL"]
            yield from ((found[user.title, name], start) for name in TRAININGS if (user.title, name) in found)
            yield start, found[user.title, "whittle-search"]


def show(name: str, board: Mapping[str, Any]) -> None:
    """The tables of a board."""
    rows = board["rows"]
    sd = max((row["seed sd"] for row in rows if row["seed sd"] is not None), default=None)
    print(f"\n{name}: {board['title']}{' (quick: says nothing)' * board['quick']}; n = {rows[0]['n']:,} dialogues")
    print("rank percentile of the target in %: after turn 2, after turn 5 [95% interval]")
    _show(_pivot(rows, "model"))
    if sd is not None:
        print(f"sd between seeds after turn 5: at most {100 * sd:.1f}")
    print("\ndifferences after turn 5")
    _show(
        {
            **{key: row[key] for key in ("user", "model", "over")},
            "gain": points(row["gain"], sign="+"),
            "95% interval": points_range(*row["interval"]),
            "p (Holm)": f"{row['p_holm']:.3f}",
        }
        for row in board["differences"]
    )
    if board["order"]:
        print("\nSL: learned with the user of a row, talks with that of a column")
        _show(_pivot(board["transfer"], "model"))
        print("\nKendall's tau of the order of models, by pairs of users")
        _show({"users": " ~ ".join(p["simulators"]), "tau": f"{p['tau']:.2f}"} for p in board["order"]["pairs"])
        print(board["order"]["note"])
    for user, learned in board["learned"].items():
        print(learned_line(user, learned))
    print(f"picture: {board['picture']}")


def _pivot(rows: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, str]]:
    """A line for each model, a column for each user."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row[name], {name: row[name], "seeds": str(row["seeds"])})[row["user"]] = cell(row)
    return list(found.values())


def _show(rows: Iterable[Mapping[str, str]]) -> None:
    print(tabulate(list(rows), headers="keys", disable_numparse=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=common.ROOT.parent / "shared" / "data", help="raw annotations")
    parser.add_argument("--work", type=Path, default=common.ROOT / "demo" / "dialog-manager", help="where all goes")
    parser.add_argument("--board", choices=BOARDS, nargs="+", default=list(BOARDS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--dialogues", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="only to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    options = parser.parse_args()
    work = options.work / "quick" if options.quick else options.work
    found = {}
    for name in options.board:
        found[name] = Comparison(Runner(name, BOARDS[name], options.data, work), options).run()
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, board in found.items():
        show(name, board)


if __name__ == "__main__":
    main()
