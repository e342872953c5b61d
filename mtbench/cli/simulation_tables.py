"""What `mtbench simulate` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtbench.cli.tables import table
from mtbench.core.text import points, points_range

BY_WORDS = "percentile by words"
JUDGED = (
    "n",
    "BLEU-4",
    "ROUGE-L",
    *(f"{BY_WORDS}{end}" for end in ("", " interval", " of people", " interval of people")),
)


def simulation_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Models and users under each other: where the target stands after each turn, and how soon it is found."""
    first = records[0]
    turns = len(first["rows"])
    images = sum(gallery["images"] for gallery in first["galleries"].values())
    within = first["turns_to_success"]["within"]
    headers = ["model", "simulator", "proxy", *(f"turn {turn + 1}" for turn in range(turns)), "95% interval"]
    headers += [f"hits@{within}", "95% interval", "turns", "found"]
    rows = []
    for record in records:
        last, median = record["rows"][-1], record["turns_to_success"]["median"]
        rows.append(
            [
                record["model"].rpartition(":")[2] + " LEAK" * any(t["leak"]["marked"] for t in record["trained"]),
                record["simulator"]["name"],
                record["proxy"],
                *(points(row["percentile"]) for row in record["rows"]),
                points_range(*last["percentile interval"]),
                points(last[f"hits@{within}"]),
                points_range(*last[f"hits@{within} interval"]),
                f"> {turns}" if median is None else f"{median:g}",
                points(record["found"]),
            ]
        )
    manner = "".join(
        f"; {what} {first[name]:g}"
        for name, what, usual in (("patience", "patience", 1), ("change_of_mind", "change of mind", 0))
        if first[name] != usual
    )
    lines = [
        f"{first['benchmark']}, revision {first['revision'][:12]}, {first['split']}: {first['n']:,} dialogues of up to "
        f"{turns} turns, seed {first['seed']}{manner}",
        f"gallery of {images:,} images, those shown left out; in %; intervals: bootstrap over targets",
        "",
        table(rows, headers),
        "",
        "turn 1, ...: mean rank percentile of the target after each turn, chance 50; the interval is that of the last.",
        f"hits@{within}: dialogues whose target was among the first {within} after some turn. turns: by which more",
        f"than half had that; > {turns}: not in time. found: dialogues whose target became the one image shown.",
        "Ranks are expected over ties; of equal images the first in the gallery is shown.",
    ]
    if first["change_of_mind"] > 0:
        lines.append(
            "Whoever changes their mind begins anew: hits and turns are about the last wish, intervals and tests go by "
            "the first."
        )
    if first["taught_whole"]:
        whole = ", ".join(first["taught_whole"])
        lines.append(f"The train part looks for every image of {whole}: what learned from it may know these targets.")
    if first["patience"] < 1:
        lines += [
            "Whoever left keeps the last rank in later turns. Still talking at each turn:",
            "",
            table(
                [[*names[:2], *(row["talking"] for row in r["rows"])] for names, r in zip(rows, records, strict=True)],
                headers[:2] + headers[3 : 3 + turns],
            ),
        ]
    learned = {record["simulator"]["name"]: record["learned"] for record in records if record["learned"]}
    if learned and first["patience"] < 1:
        lines.append("")
    lines += [learned_line(name, found) for name, found in learned.items()]
    if any(record["split"] != "test" for record in records):
        lines.append(f"The {first['split']} part is one that models learn from or choose their options on.")
    return "\n".join(lines)


def learned_line(name: str, learned: Mapping[str, Any]) -> str:
    """What a user learned, in a line; what `mtbench.simulation.spoken.judge` measured is told in words."""
    left, told = dict(learned), ""
    if left.keys() >= set(JUDGED):
        n, bleu, rouge, *by_words = (left.pop(key) for key in JUDGED)
        its, theirs = (
            f"{points(v)} [{points(low)}, {points(high)}]" for v, (low, high) in (by_words[:2], by_words[2:])
        )
        told = (
            f"BLEU-4 {points(bleu)}, ROUGE-L {points(rouge)}, its words alone put the target at percentile {its} of "
            f"{n:,} dev pairs, those of people at {theirs}, chance 50"
        )
    return f"{name} learned: {', '.join([*_plain(left), *filter(None, [told])])}"


def _plain(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield f"{name} ({', '.join(_plain(value))})"
        else:
            yield f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"


def gains_table(found: Sequence[Mapping[str, Any]], turns: int) -> str:
    """How much better or worse than the first model the others are."""
    rows = [
        [
            *(str(row["model"]).rpartition(":")[2], row["simulator"]),
            points(row["gain"], sign="+"),
            points_range(*row["interval"]),
            f"{row['p_holm']:.4f}",
        ]
        for row in found
    ]
    of = "" if len(rows) == 1 else f", Holm over {len(rows)}"
    first = str(found[0]["over"]).rpartition(":")[2]
    return (
        f"Percentile after turn {turns} over {first}, in points:\n\n"
        f"{table(rows, ['model', 'simulator', 'gain', '95% interval', 'p'])}\n\n"
        f"p: randomisation over targets, two-sided{of}."
    )


def agreement_table(found: Mapping[str, Any]) -> str:
    """Whether users agree on the order of models."""
    rows = [[*pair["simulators"], "-" if pair["tau"] is None else f"{pair['tau']:.2f}"] for pair in found["pairs"]]
    text = table(rows, ["one user", "another", "tau"], left=True)
    asked = f"Do users agree on the order of models? Kendall's tau of their {found['measure']}:"
    return f"{asked}\n\n{text}\n\n{found['note']}"
