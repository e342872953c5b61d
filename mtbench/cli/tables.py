"""Tables and sentences for people to read in a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mtbench.core.text import points, points_range


def table(rows: Iterable[Sequence[Any]], headers: Sequence[str], *, left: bool = False) -> str:
    """Rows under headers, numbers to the right, thousands apart; with ``left``, all columns to the left."""
    from tabulate import tabulate

    cells = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    alignment = ["left" if left or column == 0 else "right" for column in range(len(headers))]
    text: str = tabulate(cells, headers, colalign=alignment, disable_numparse=True)
    return text


def build_report(manifest: Mapping[str, Any], out: Path) -> str:
    """What a build made: counts, published counts beside ours, faults, notes."""
    lines = [counts(manifest), ""]
    lines += [_published(row) for row in manifest["published"]]
    lines += [_left_out(rule, counts) for rule, counts in manifest.get("left_out", {}).items()]
    leaked = manifest["audit"]["test"]
    if leaked["transactions"]:
        lines.append(
            f"leakage: of {leaked['transactions']:,} test transactions {leaked['edge']:,} share a pair with train or "
            f"dev, {leaked['last_edge']:,} their last one; the targets of {leaked['final_target']:,} are shown there "
            "(mtbench audit)"
        )
    for kind, fault in manifest["faults"].items():
        lines.append(f"{kind}: {fault['count']:,} ({', '.join(fault['examples'])}{', ...' * (fault['count'] > 3)})")
    lines += [f"note: {note}" for note in manifest["notes"]]
    for split, facts in manifest["statistics"]["splits"].items():
        if not facts["transactions"]:
            drawn = manifest["split"]["policy"] != "official"
            hint = "other shares or another --split-seed may fill it" if drawn else "the raw files name nothing for it"
            lines.append(f"note: {split} is empty; {hint}.")
    for proxy, facts in manifest["proxies"].items():
        lines.append(f"{proxy}: for {facts['coverage']:.1%} of the images")
    if not manifest["proxies"]:
        lines.append("No caption, attribute or file stands for the images yet: add --image-captions or --images.")
    lines += ["", f"{manifest['name']}, revision {manifest['revision'][:12]}, is in {out}"]
    return "\n".join(lines)


def counts(manifest: Mapping[str, Any]) -> str:
    """Transactions per split and number of turns, and the size of the galleries."""
    splits = manifest["statistics"]["splits"]
    turns = sorted({n for split in splits.values() for n in split["turns"]}, key=int)
    rows = [
        [name, split["transactions"], *(split["turns"].get(n, 0) for n in turns), split["images"]]
        for name, split in splits.items()
    ]
    return table(rows, ["split", "transactions", *(f"{n} turns" for n in turns), "images"])


def _left_out(rule: str, counts: Mapping[str, int]) -> str:
    return f"left out by {rule}: {' and '.join(f'{count:,} of {split}' for split, count in counts.items())}"


def _published(row: Mapping[str, Any]) -> str:
    def joined(values: Mapping[str, int], sign: str = "") -> str:
        return " / ".join(f"{value:{sign},}" for value in values.values())

    return (
        f"published, {row['name']}, {row['split']}: {joined(row['turns'])} at "
        f"{'/'.join(row['turns'])} turns; here {joined(row['ours'])} (difference {joined(row['difference'], '+')})"
    )


def training_table(trained: Sequence[tuple[Path, Mapping[str, Any]]], benchmark: Path) -> str:
    """Checkpoints under each other: what of their phases was kept, and its score on dev; and how to evaluate them."""
    rows = []
    for path, record in trained:
        for phase, chosen in record["chosen_on_dev"].items():
            dev = "-" if chosen["mean"] is None else points(chosen["mean"])
            epoch = f"{chosen['best_epoch']} of {chosen['of']}"
            rows.append([record["model"], record["seed"], phase, epoch, dev, path.name])
    first = trained[0][1]
    lines = [
        f"{first['benchmark']}, revision {first['revision'][:12]}; features {first['features']['name']} "
        f"({first['features']['proxy']})",
        "",
        table(rows, ["model", "seed", "phase", "epoch", "dev", "checkpoint"]),
        "",
        *_chosen_by(record for _, record in trained),
    ]
    kept = {
        f"{r['model']}, seed {r['seed']}"
        for _, r in trained
        for c in r["chosen_on_dev"].values()
        if not c["best_epoch"]
    }
    if kept:
        lines.append(f"Epoch 0 was kept, so nothing was learned in that phase: {'; '.join(sorted(kept))}.")
    leak = first["leak"]
    if leak["dropped"]:
        lines.append(f"{leak['dropped']:,} transactions that leak by {leak['kind'].replace('_', ' ')} were left out.")
    if leak["marked"]:
        lines.append(f"LEAK: {_leaked(leak)}. Every result of these checkpoints says so.")
    early = dict.fromkeys(line for _, record in trained for line in _stopped_early(record["below"]))
    lines += [f"Below it {line}" for line in early]
    on = [*(str(path) for path, _ in trained), "--benchmark", str(benchmark)]
    lines += ["", f"Evaluate: {shlex.join(['mtbench', 'evaluate', *on])}"]
    if "user_features" in first:  # it learned from talking
        lines.append(f"Talk: {shlex.join(['mtbench', 'simulate', *on, '--simulator', first['options']['simulator']])}")
    return "\n".join(lines)


def _chosen_by(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the column ``dev`` is of."""
    measures = dict.fromkeys(str(c["measure"]) for record in records for c in record["chosen_on_dev"].values())
    lines = [f"epoch: the one kept. dev: {'; '.join(measures)}; in %, macro over categories, by which it was chosen."]
    if any("R@" in measure for measure in measures):
        lines.append("Of single turns for a combiner, of whole transactions for what stands on it.")
    return lines


def result_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Models under each other: the headline with its interval, and what the other choices would have given."""
    first = records[0]
    several = len(first["by_category"]) > 1
    seeds = len({record["model"] for record in records}) < len(records) and any(r["trained"] for r in records)
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "model": _name,
        **({"seed": lambda r: str(r["options"].get("seed", "-"))} if seeds else {}),
        "proxy": lambda r: str(r["proxy"]),
        **{name: partial(_percent, name) for name in ("R@5", "R@8", "mean")},
        "95% interval": lambda r: points_range(*r["intervals"]["mean"]),
        "MRR": partial(_percent, "MRR"),
        "rank": lambda r: "-" if r["measures"].get("rank") is None else f"{r['measures']['rank']:,.0f}",
        "ties": lambda r: points_range(r["ties_pessimistic"]["mean"], r["ties_optimistic"]["mean"]),
        "excl.": lambda r: _value("mean", r["own_references_excluded"].get("mean")),
        **({"micro": lambda r: _value("mean", r["micro"]["mean"])} if several else {}),
        **{part: partial(_of_part, part) for part in ("clean", "leaked") if part in first},
        **{f"{n} turns": partial(_of_turns, n) for n in first["by_turns"]},
    }
    images = sum(gallery["images"] for gallery in first["galleries"])
    averaged = f"macro over {', '.join(first['by_category'])}; " if several else ""
    by_turns = ", ".join(f"{part['n']:,} of {n} turns" for n, part in first["by_turns"].items())
    limited = "" if first["status"] == "complete" else " (only the first: --limit)"
    lines = [
        f"{first['benchmark']}, revision {first['revision'][:12]}, {first['split']}: "
        f"{first['n']:,} transactions{limited} ({by_turns})",
        f"gallery {first['protocol']['gallery']}, {images:,} images, own references kept; {averaged}in %, expected "
        f"over ties; intervals: bootstrap over clusters, seed {first['seed']}",
        "",
        table([[cell(record) for cell in columns.values()] for record in records], list(columns)),
        "",
        "mean: of R@5 and R@8. rank: median. ties: mean if every tie went against the target, and if for it.",
        "excl.: mean with the images already shown left out. Last columns: mean by turns, categories pooled.",
    ]
    if "clean" in first:
        kind = first["clean_kind"].replace("_", " ").replace("-", " ")
        lines.append(
            f"This split leaks: {first['leaked']['n']:,} transactions were seen before by {kind}, and "
            f"{first['clean']['n']:,} are clean of that: their means stand beside. See mtbench audit."
        )
    if first["split"] != "test":
        lines.append(f"The {first['split']} part is one that models learn from or choose their options on.")
    for record in records:
        lines += _training_notes(record)
        if run := record.get("run"):
            lines += [f"{record['model']}: {line}" for line in _run_notes(run["missing"], run["cut_ties"])]
        if record["ties_optimistic"]["mean"] - record["ties_pessimistic"]["mean"] > 0.5:
            lines.append(f"{record['model']} gives most candidates one score: it had next to nothing to rank by.")
    proxies = sorted({record["proxy"] for record in records} - {"none"})
    if len(proxies) > 1:
        lines.append(f"Not comparable with each other: different things stood for the images ({', '.join(proxies)}).")
    return "\n".join(lines)


def _name(record: Mapping[str, Any]) -> str:
    """The model of a result, with a sign if it learned from what leaks."""
    name = str(record["model"].rpartition(":")[2])
    return name + " LEAK" * any(trained["leak"]["marked"] for trained in record["trained"])


def _training_notes(record: Mapping[str, Any]) -> list[str]:
    """What a reader must know of the checkpoints behind a result."""
    from mtbench.evaluation.comparison.systems import unlearned

    lines = []
    for trained in record["trained"]:
        if trained["leak"]["marked"]:
            lines.append(f"{_name(record)}: {_leaked(trained['leak'])}: no fair score (--allow-leak).")
        early = dict.fromkeys(_stopped_early([trained, *trained["below"]]))
        lines += [f"{_name(record)}: {line}" for line in early]
    if phases := unlearned(record):
        lines.append(f"{_name(record)}: epoch 0 was kept of {', '.join(phases)}, so nothing was learned there.")
    return lines


def _stopped_early(trainings: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"the training of {one['model']} stopped early: {one['status']}."
        for one in trainings
        if one["status"] != "complete"
    ]


def _leaked(leak: Mapping[str, Any]) -> str:
    """What a training knew of the test part, itself or in a checkpoint that it starts from."""
    found = [
        f"{one['known']:,} of {one['of']:,} test transactions were known in training by {one['kind'].replace('_', ' ')}"
        for one in (leak, *leak["below"])
        if one["known"]
    ]
    return "; below it ".join(dict.fromkeys(found)) or "test transactions were known in training"


def score_table(found: Mapping[str, Any]) -> str:
    """The scores of a run, overall and by category."""
    names = list(found["measures"])
    rows = [
        [label, n, *(_value(name, values.get(name)) for name in names)]
        for label, n, values in (
            ("macro", found["n"], found["measures"]),
            ("micro", found["n"], found["micro"]),
            *((label, part["n"], part["measures"]) for label, part in found["by_category"].items()),
        )
    ]
    lines = [table(rows, ["", "n", *names])]
    lines += _run_notes(found["missing"], found["cut_ties"], found["missing_transactions"][:3])
    lines += [f"{name} cannot be told: {why}" for name, why in found["not_available"].items()]
    return "\n".join(lines)


def _run_notes(missing: int, cut_ties: int, some: Sequence[str] = ()) -> list[str]:
    """What a reader of the score of a file of rankings must know."""
    lines = []
    if missing:
        names = f": {', '.join(some)}, ..." if some else ""
        lines.append(f"{missing:,} transactions are not in the run and count as misses{names}")
    if cut_ties:
        lines.append(
            f"{cut_ties:,} rankings are cut off among candidates that tie with the target: what is listed counts, and "
            "scores may differ a little from those of whole rankings"
        )
    return lines


def _percent(name: str, record: Mapping[str, Any]) -> str:
    return _value(name, record["measures"].get(name))


def _of_part(part: str, record: Mapping[str, Any]) -> str:
    return _value("mean", record.get(part, {}).get("measures", {}).get("mean"))


def _of_turns(turns: str, record: Mapping[str, Any]) -> str:
    return _value("mean", record["by_turns"][turns]["measures"]["mean"])


def _value(name: str, value: float | None) -> str:
    return f"{value:,.1f}" if name == "rank" and value is not None else points(value)
