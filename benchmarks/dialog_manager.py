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
SL beside their loss. On the shoebox with captions and three attributes also the three with the options of the paper
(--preset paper), which has no hinge beside them.
Beside them, with the same first images and targets: baselines, and where words stand for images the models that learn
from annotated dialogues or pairs. Rocchio reads no words, and ewma none where pixels stand for images; there the other
baselines read captions, which the Dialog Manager does not: see the proxy.

Printed: rank percentile of the target on test, differences, what the trainings were and which epoch dev kept, what
becomes of a Dialog Manager that talks with another user than it learned with, Kendall's tau of the order of models by
pairs of users, and what captioners are worth. In %, 95% intervals over targets and seeds; p over targets, for these
seeds. Options were chosen on dev of the shoebox, two of them before images were held out for it. Each step is printed
as the command that does the same, and none is done again that --work has. A picture of each board is in --work. With
--quick: one seed, one user a board, few dialogues and epochs; its figures say only that everything runs.
"""

from __future__ import annotations

import common  # isort: skip  # first: it sets one thread

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
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
        simulator: with its options.
        improved: whether RL and MBPI are trained with it too. A captioner is ten times as slow as the others.
        of_paper: whether all three are trained with the options of the paper too.
    """

    title: str
    simulator: str
    improved: bool = False
    of_paper: bool = False


SHOEBOX = ("shoebox", "--raw", "{work}/shoebox-raw")
BOARDS: dict[str, Board] = {
    "shoebox": Board("shoebox, 1,200 images, known by captions", SHOEBOX, (("--encoder", "tfidf"),), "tfidf"),
    "images": Board("shoebox, 1,200 images, known by pixels", SHOEBOX, (("--encoder", "pixels"),), "pixels"),
    "shoes": PUBLISHED["shoes"],
}
USERS: dict[str, tuple[User, ...]] = {
    board: (
        User("attributes, n = 3", "attributes,n=3", improved=True, of_paper=board == "shoebox"),
        User("attributes, n = 1", "attributes,n=1"),
        User("attributes, n = 10", "attributes,n=10"),
        User("template", "template", improved=True),
    )
    for board in ("shoebox", "images")
} | {"shoes": (User("nearest-pair", "nearest-pair", improved=True), User("captioner", "captioner"))}
IMPROVED = {"RL": "rl", "MBPI": "mbpi"}
PAPER = "paper"
BASELINES: dict[str, Options] = {
    "whittle-search": {"ties": "random"},  # as the paper: of equal images a random one is shown next
    **{name: {} for name in ("rocchio", "bm25", "ewma", "lookup", "random")},
}
DRAWN = ("SL", *IMPROVED, "whittle-search", "bm25", "ewma", "lstm")
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
        first = every[0].records[0]
        return {
            "title": self.runner.board.title,
            "quick": self.quick,
            "picture": str(picture),
            "n": first["n"],
            "targets": first["clusters"],
            "gallery": sum(gallery["images"] for gallery in first["galleries"].values()),
            "trainings": [
                trained(user, name, paths) for user, made in managers.items() for name, paths in made.items()
            ],
            "rows": [talks.row for talks in every],
            "differences": gains(list(self.pairs(every))),
            "transfer": [talks.row for talks in self.transfer(managers)],
            "order": orders([talks for talks in every if talks.model not in ("random", *IMPROVED)]),
            "learned": {user: about for user, about in learned.items() if about},
        }

    def managers(self, user: User) -> dict[str, list[Path]]:
        """The checkpoints of every training with a user, by seed."""
        options: dict[str, object] = {**(QUICK if self.quick else {}), "simulator": user.simulator}
        found: dict[str, list[Path]] = {}
        for preset in ("", PAPER) if user.of_paper else ("",):
            for seed in self.seeds:
                start = self.runner.train("dialog-manager", seed, options, preset)
                found.setdefault(_named("SL", preset), []).append(start)
                for name, training in IMPROVED.items() if user.improved else ():
                    also = {**options, "training": training, "start": str(start)}
                    path = self.runner.train("dialog-manager", seed, also, preset)
                    found.setdefault(_named(name, preset), []).append(path)
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
        """What is tested: each training over the SL that it began with, and SL over two models that were named before.

        Where no seed was improved on dev both are the same checkpoints, and there is nothing to test.
        """
        found = {(talks.user, talks.model): talks for talks in every}
        for user in self.users:
            for preset in ("", PAPER):
                start = found.get((user.title, _named("SL", preset)))
                made = (found.get((user.title, _named(name, preset))) for name in IMPROVED)
                yield from ((one, start) for one in made if one and start and (one.values != start.values).any())
            for other in ("whittle-search", "lstm"):
                if (user.title, other) in found:
                    yield found[user.title, "SL"], found[user.title, other]


def _named(training: str, preset: str) -> str:
    return f"{training}, {preset}" if preset else training


def trained(user: str, name: str, paths: Sequence[Path]) -> dict[str, Any]:
    """What a training was, and which epoch dev kept for each seed."""
    records = [json.loads((path / "checkpoint.json").read_text(encoding="utf-8")) for path in paths]
    phases = [list(record["training"].items())[-1] for record in records]
    first, improving = records[0]["options"], phases[0][0] != "sl"
    scores = [[epoch["mean"] for epoch in phase["epochs"]] for _, phase in phases]
    return {
        "user": user,
        "training": name,
        "batch": first["improve_batch" if improving else "batch"],
        "rate": first["improve_rate" if improving else "rate"],
        "dialogues": first["improve_dialogues" if improving else "dialogues"],
        "epochs": len(scores[0]) - 1,
        "kept": [phase["best_epoch"] for _, phase in phases],
        **{key: float(np.mean([dev[at] for dev in scores])) for key, at in (("dev at first", 0), ("dev at last", -1))},
        "dev kept": float(np.mean([max(dev) for dev in scores])),
        "seconds": float(np.mean([record["seconds"]["train"] for record in records])),
    }


def show(name: str, board: Mapping[str, Any]) -> None:
    """The tables of a board."""
    rows = board["rows"]
    sd = max((row["seed sd"] for row in rows if row["seed sd"] is not None), default=None)
    print(
        f"\n{name}: {board['title']}{' (quick: says nothing)' * board['quick']}; {board['n']:,} dialogues about "
        f"{board['targets']:,} targets in a gallery of {board['gallery']:,}"
    )
    for turn in (2, 5):
        print(f"\nrank percentile of the target after turn {turn}, %, 95% interval")
        _show(_pivot(rows, turn))
    if sd is not None:
        print(f"sd between seeds after turn 5: at most {100 * sd:.1f}")
    print(f"\ndifferences after turn 5; p by Holm's rule over these {len(board['differences'])}")
    _show(
        {
            **{key: row[key] for key in ("user", "model", "over")},
            "gain": points(row["gain"], sign="+"),
            "95% interval": points_range(*row["interval"]),
            "p (Holm)": f"{row['p_holm']:.3f}",
        }
        for row in board["differences"]
    )
    print("\ntrainings: dev is the mean rank percentile over turns; epoch 0 is what a training began with")
    _show(
        {
            **{key: row[key] for key in ("user", "training")},
            **{key: f"{row[key]:g}" for key in ("batch", "rate", "epochs")},
            "dialogues": f"{row['dialogues']:,}" if row["dialogues"] else "gallery",
            "kept": ", ".join(map(str, row["kept"])),
            **{key: points(row[key]) for key in ("dev at first", "dev kept", "dev at last")},
            "s": f"{row['seconds']:.0f}",
        }
        for row in board["trainings"]
    )
    if board["order"]:
        print("\nSL: learned with the user of a row, talks with that of a column; after turn 5")
        _show(_pivot(board["transfer"], 5))
        print("\nKendall's tau of the order of models, by pairs of users")
        _show(
            {"users": " ~ ".join(p["simulators"]), "tau": "-" if p["tau"] is None else f"{p['tau']:.2f}"}
            for p in board["order"]["pairs"]
        )
        print(board["order"]["note"])
    for user, learned in board["learned"].items():
        print(learned_line(user, learned))
    print(f"picture: {board['picture']}")


def _pivot(rows: Sequence[Mapping[str, Any]], turn: int) -> list[dict[str, str]]:
    """A line for each model, a column for each user."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        line = found.setdefault(
            row["model"], {"model": row["model"], "proxy": row["proxy"], "seeds": str(row["seeds"])}
        )
        line[row["user"]] = cell(row, turn)
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
