"""One picture of what the audit is for: longer dialogues leak more, and are where models score higher.

On the left the share of held-out transactions that leak, by number of turns and kind of leak; on the right R@5 by
number of turns, of the results that were found. Read together they say what a rise to the right may be due to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtbench.core.errors import MtbenchError
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.pictures import MARKERS, PALETTE, check_picture, new_figure, style, write_picture
from mtbench.evaluation.results import read_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = {"last_edge": "last edge", "edge": "any edge", "final_target": "final target", "image": "any image"}
"""The kinds of leak that are drawn, with their names in the legend."""

HATCHES = ("", "///", "", "...")
MODELS = len(PALETTE)
"""So many models are drawn, the best: more lines are not told apart."""

WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1}

FEW = 100
"""A share of fewer transactions than this carries no claim: its 95% interval is 20 points wide around one half."""

Row = Mapping[str, Any]


def results_of(benchmark: Benchmark, *, split: str = "test") -> list[dict[str, Any]]:
    """The complete results in ``results/`` of the folder that are of this revision and split, the best R@5 first."""
    found = []
    turns = {str(len(transaction.turns)) for transaction in benchmark.transactions(split)}
    for path in sorted((benchmark.path / "results").glob("*/result.json")):
        record = read_result(path.parent) or {}
        wanted = {"status": "complete", "revision": benchmark.revision, "split": split}
        if turns <= record.get("by_turns", {}).keys() and all(
            record.get(name) == value for name, value in wanted.items()
        ):
            found.append(record)
    return sorted(found, key=lambda record: (-record["measures"]["R@5"], record["key"]))


def draw_leaks(
    found: Row, results: Sequence[Row], path: Path, *, title: str, against: str, split: str = "test"
) -> None:
    """Draw the picture and write it to ``path``.

    Args:
        found: the audit of one split, as `mtbench.chains.leakage.audit` counts it.
        results: of `results_of`; without any, only the left half is drawn.
        path: a PNG or SVG.
        title: of the whole, such as the benchmark's name and revision.
        against: what the split was audited against, in words.
        split: its name.

    Raises:
        MtbenchError: the split is empty, matplotlib is missing, or ``path`` has another suffix.
    """
    check_picture(path)
    turns = sorted(found["by_turns"], key=int)
    if not turns:
        raise MtbenchError(f"there is no {split} transaction, and so nothing to draw")
    with style():
        figure, axes = new_figure(2 if results else 1, width=9.0 if results else 5.4)
        figure.suptitle(title, x=0.01, ha="left", fontsize=9, color="#666666")
        leak_bars(axes[0], found["by_turns"], turns)
        axes[0].set_title(f"Leaks: seen in {against}")
        axes[0].set_ylabel(f"% of {split} transactions")
        for plot in axes:
            plot.set_xticks(range(len(turns)), [_tick(n, found["by_turns"][n]["transactions"]) for n in turns])
            plot.set_ylim(bottom=0)
            plot.grid(axis="y")
            plot.tick_params(length=0)
        if results:
            _scores(axes[1], results[:MODELS], turns, [found["by_turns"][n]["transactions"] for n in turns])
            best = f", best {MODELS} of {len(results)} results" if len(results) > MODELS else ""
            axes[1].set_title(f"Scores: R@5 on {split}{best}")
            axes[1].set_ylabel("R@5, % (categories pooled)")
        write_picture(figure, path)


def leak_bars(axes: Axes, by_turns: Mapping[str, Row], turns: Sequence[str], colors: Sequence[str] = PALETTE) -> None:
    """The share of each kind of leak at each number of turns, with its legend below."""
    width = 0.84 / len(SHOWN)
    for number, (kind, label) in enumerate(SHOWN.items()):
        shares = [100 * by_turns[n][kind] / by_turns[n]["transactions"] for n in turns]
        places = [place + (number - (len(SHOWN) - 1) / 2) * width for place in range(len(turns))]
        bars = axes.bar(
            places,
            shares,
            width * 0.92,
            label=label,
            color=colors[number],
            hatch=HATCHES[number],
            edgecolor="white",
            linewidth=0,
        )
        axes.bar_label(bars, [f"{share:.0f}" for share in shares], padding=1.5, fontsize=8)
    axes.set_ylim(0, 108)
    axes.set_yticks(range(0, 101, 25))
    axes.set_xlim(-0.5, len(turns) - 0.5)
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.15), handlelength=1.2, columnspacing=1.2)


def _scores(axes: Axes, results: Sequence[Row], turns: Sequence[str], counts: Sequence[int]) -> None:
    """A line per model, named at its right end; points of few transactions are hollow."""
    values = [[100.0 * record["by_turns"][n]["measures"]["R@5"] for n in turns] for record in results]
    top = 1.12 * max(10.0, *(value for row in values for value in row))
    names, end = names_of(results), len(turns) - 1
    heights = apart([row[-1] for row in values], top / 17)
    label = min(0.6, 0.13 + 0.019 * max(map(len, names)))  # share of the plot's width that the names take
    span = (end + 0.15) / (1 - label)
    few = [place for place, count in enumerate(counts) if count < FEW]
    for number, (row, name, height) in enumerate(zip(values, names, heights, strict=True)):
        look: dict[str, Any] = {"color": PALETTE[number], "marker": MARKERS[number], "clip_on": False}
        axes.plot(range(len(turns)), row, **look, zorder=3 - number / 100)
        if few:  # an empty line that is not clipped breaks the layout
            hollow: dict[str, Any] = {"linestyle": "", "markerfacecolor": "white", "zorder": 3.5 - number / 100}
            axes.plot(few, [row[place] for place in few], **look, **hollow)
        axes.plot([end, end + 0.09 * span], [row[-1], height], color=PALETTE[number], linewidth=0.9, linestyle=":")
        axes.plot([end + 0.09 * span], [height], **look, markersize=4)
        axes.text(end + 0.115 * span, height, name, va="center", fontsize=8.5, bbox=WHITE)
    if few:
        axes.set_xlabel(f"hollow: fewer than {FEW} transactions", loc="left", fontsize=8, color="#666666")
    axes.set_ylim(0, top)
    axes.set_xlim(-0.15, span - 0.15)


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """Heights in the same order, ``gap`` apart at least: those too near stand around their mean, clear of the axis."""
    order = sorted(range(len(heights)), key=lambda number: heights[number])
    groups: list[list[int]] = []
    starts: list[float] = []
    for number in order:
        groups.append([number])
        starts.append(max(gap / 2, heights[number]))
        while len(groups) > 1 and starts[-1] < starts[-2] + gap * len(groups[-2]):
            group = groups.pop()
            groups[-1] += group
            starts.pop()
            mean = sum(heights[member] for member in groups[-1]) / len(groups[-1])
            starts[-1] = max(gap / 2, mean - gap * (len(groups[-1]) - 1) / 2)
    found = list(heights)
    for group, start in zip(groups, starts, strict=True):
        for place, member in enumerate(group):
            found[member] = start + gap * place
    return found


def names_of(results: Sequence[Row]) -> list[str]:
    """A short name for each result: the model, and whatever else is needed to tell it from the others."""
    names = [str(record["model"]).rpartition(":")[2] for record in results]
    proxies = {record["proxy"] for record in results} - {"none"}
    if len(proxies) > 1:  # not comparable with each other
        names = [
            f"{name} ({record['proxy']})" if record["proxy"] != "none" else name
            for name, record in zip(names, results, strict=True)
        ]
    for more in (_options, lambda record: str(record["key"])[:6]):
        counts = Counter(names)
        names = [
            f"{name} {more(record)}".strip() if counts[name] > 1 else name
            for name, record in zip(names, results, strict=True)
        ]
    return names


def _options(record: Row) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(record.get("options", {}).items()))


def _tick(turns: str, count: int) -> str:
    return f"{turns} turns\nn = {count:,}"
