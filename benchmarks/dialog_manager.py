"""The comparison of Guo et al. (2018): three trainings of the Dialog Manager, several users, and baselines beside.

    python benchmarks/dialog_manager.py [--data ../shared/data] [--board shoebox shoes] [--seeds 3] [--work DIR]
        [--quick] [--json]

Boards: the shoebox of 1,200 images, and Shoes with words in the place of pictures (TF-IDF and MiniLM of captions).
Users: on the shoebox one who names 1, 3 or 10 attributes ("more X, less Y"), and one who speaks in sentences; on Shoes,
whose images have no attributes, the one who repeats what an annotator said of the most similar training pair. Each
model is trained with the user that it then talks to, on training images alone: supervised learning (SL), and from that
checkpoint self-critical REINFORCE (RL) and model-based policy improvement (MBPI); with --seeds seeds. Beside them, with
the same users, first images and targets: whittle-search, rocchio, bm25 and ewma. Rocchio reads no words: see its page.

Rank percentile of the target after each turn, on test, in %; a 95% interval over targets of the mean over seeds.
Options were chosen on dev of the shoebox, two of them before images were held out for it. Each step is printed as the
command that does the same, and none is done again that --work has. A picture of each board is in --work. With --quick:
one seed, one user a board, few dialogues and epochs; its figures say only that everything runs.
"""

from __future__ import annotations

import common  # isort: skip  # first: it sets one thread

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from models import BOARDS as PUBLISHED
from models import Board, Runner, told
from tabulate import tabulate

from mtbench.evaluation.statistics import bootstrap
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
    """

    title: str
    name: str
    options: Mapping[str, str]

    @property
    def of_training(self) -> dict[str, object]:
        """The same as options of the Dialog Manager."""
        return {
            "simulator": self.name,
            "simulator_options": ",".join(f"{key}={value}" for key, value in self.options.items()),
        }


BOARDS: dict[str, Board] = {
    "shoebox": Board(
        "shoebox, 1,200 images, captions",
        ("shoebox", "--raw", "{work}/shoebox-raw"),
        (("--encoder", "tfidf"),),
        "tfidf",
    ),
    "shoes": PUBLISHED["shoes"],
}

USERS: dict[str, tuple[User, ...]] = {
    "shoebox": (
        User("attributes, n = 3", "attributes", {"n": "3"}),
        User("attributes, n = 1", "attributes", {"n": "1"}),
        User("attributes, n = 10", "attributes", {"n": "10"}),
        User("template", "template", {}),
    ),
    "shoes": (User("nearest-pair", "nearest-pair", {}),),
}

TRAININGS = {"SL": "sl", "RL": "rl", "MBPI": "mbpi"}
BASELINES = ("whittle-search", "rocchio", "bm25", "ewma")

QUICK: Options = {"epochs": 3, "dialogues": 512, "improve_epochs": 1, "improve_dialogues": 64, "dev_dialogues": 64}


class Comparison:
    """One board."""

    def __init__(self, runner: Runner, options: argparse.Namespace) -> None:
        self.runner = runner
        self.out = runner.results.parent.parent / "simulations" / runner.name
        self.more: Options = QUICK if options.quick else {}
        self.dialogues = 100 if options.quick else options.dialogues
        self.seeds = 1 if options.quick else options.seeds

    def trained(self, user: User) -> dict[str, list[Path]]:
        """The checkpoints of every training, by seed."""
        found: dict[str, list[Path]] = {name: [] for name in TRAININGS}
        for seed in range(self.seeds):
            options: dict[str, object] = {**self.more, **user.of_training}
            start = self.runner.train("dialog-manager", seed, options)
            found["SL"].append(start)
            for name in ("RL", "MBPI"):
                also = {"training": TRAININGS[name], "start": str(start)}
                found[name].append(self.runner.train("dialog-manager", seed, {**options, **also}))
        return found

    def talk(self, name: str, user: User) -> dict[str, Any]:
        """The record of one model with one user."""
        folder, features = self.runner.folder, self.runner.board.features
        words = "".join(f" --simulator-set {key}={value}" for key, value in user.options.items())
        words += f" --dialogues {self.dialogues} --features {features}"
        told(f"simulate {name} --benchmark {folder} --simulator {user.name}{words}")
        settings = SimulateSettings(
            **{"simulator": user.name, "simulator_options": user.options, "features": features},
            **{"dialogues": self.dialogues, "manner": Manner(turns=5)},
        )
        return simulate(name, self.runner.benchmark, self.out, settings)

    def run(self, users: Sequence[User]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of the table, and a record for each line of the picture: the first seed of each training."""
        rows, lines = [], []
        for user in users:
            groups = {
                name: [self.talk(str(path), user) for path in paths] for name, paths in self.trained(user).items()
            }
            groups |= {name: [self.talk(name, user)] for name in BASELINES}
            for name, records in groups.items():
                rows.append(self.row(user, name, records))
                lines.append(
                    {**records[0], "model": name, "simulator": {**records[0]["simulator"], "name": user.title}}
                )
        return rows, lines

    def row(self, user: User, name: str, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Mean over seeds after each turn, with an interval over targets: the users are the same for each seed."""
        each = [self.percentiles(record) for record in records]
        targets = each[0][1]
        drawn = bootstrap(np.mean([values for values, _ in each], axis=0), targets, seed=0)
        last = [float(values[:, -1].mean()) for values, _ in each]
        return {
            **{"user": user.title, "model": name, "seeds": len(records), "n": len(targets)},
            **{"mean": drawn.estimate.tolist(), "low": drawn.low.tolist(), "high": drawn.high.tolist()},
            "seed sd": float(np.std(last, ddof=1)) if len(last) > 1 else None,
            "found": float(np.mean([record["found"] for record in records])),
            "proxy": records[0]["proxy"],
        }

    def percentiles(self, record: Mapping[str, Any]) -> tuple[np.ndarray, list[str]]:
        """Of each dialogue after each turn, (n, T), 1 once its target is shown; and the targets."""
        table = pq.read_table(next(self.out.glob(f"*-{record['key'][:8]}")) / "turns.parquet").to_pydict()
        values, targets = np.ones((record["n"], record["turns"])), [""] * record["n"]
        for row, turn, target, value in zip(
            table["dialogue"], table["turn"], table["target"], table["percentile"], strict=True
        ):
            values[row, turn - 1], targets[row] = value, target
        return values, targets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=common.ROOT.parent / "shared" / "data", help="raw annotations")
    parser.add_argument("--work", type=Path, default=common.ROOT / "demo" / "dialog-manager", help="where all goes")
    parser.add_argument("--board", choices=BOARDS, nargs="+", default=list(BOARDS))
    parser.add_argument("--users", type=int, default=len(USERS["shoebox"]), help="the first N of each board")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--dialogues", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="only to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    options = parser.parse_args()
    work = options.work / "quick" if options.quick else options.work
    found = {}
    for name in options.board:
        comparison = Comparison(Runner(name, BOARDS[name], options.data, work), options)
        users = USERS[name][: 1 if options.quick else options.users]
        rows, lines = comparison.run(users)
        picture = work / f"{name}.svg"
        draw(lines, picture)
        found[name] = {"title": BOARDS[name].title, "quick": options.quick, "picture": str(picture), "rows": rows}
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, board in found.items():
        print(f"\n{name}: {board['title']}{' (quick: says nothing)' if board['quick'] else ''}; {board['picture']}")
        shown = [
            {
                **{key: row[key] for key in ("user", "model", "seeds", "n")},
                **{
                    f"turn {turn} [95%]": f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
                    for turn, (mean, low, high) in enumerate(zip(row["mean"], row["low"], row["high"], strict=True), 1)
                    if turn in (1, 2, 5)
                },
                "seed sd": "" if row["seed sd"] is None else f"{100 * row['seed sd']:.1f}",
                "found": f"{100 * row['found']:.0f}",
                "proxy": row["proxy"],
            }
            for row in board["rows"]
        ]
        print(tabulate(shown, headers="keys", disable_numparse=True))


if __name__ == "__main__":
    main()
