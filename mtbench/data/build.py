"""From raw files to a benchmark folder: read, chain, split, declare galleries, write."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mtbench.chains.leakage import audit
from mtbench.chains.policies import Rule
from mtbench.chains.splits import SplitRule, assign
from mtbench.chains.transactions import transactions_of
from mtbench.core.errors import MtbenchError, Problems, unknown
from mtbench.core.files import check_free
from mtbench.core.types import SPLITS, Pair, Protocol, Transaction
from mtbench.data.benchmark import SCHEMA_VERSION, Benchmark, galleries_of, revision
from mtbench.data.images import Proxies, describe, image_rows, index_files
from mtbench.data.manifest import beside_published, default_name, options_given, sources_read, statistics
from mtbench.data.parts import clean_parts, kinds_named, parts_of
from mtbench.data.raw import Builder, Draws, RawDataset, read_raw
from mtbench.data.readers import read_texts
from mtbench.data.sources import fetch
from mtbench.data.truth import truth_of
from mtbench.data.truth_files import describe_truth
from mtbench.data.write import write_benchmark

SELF_LOOPS = ("drop", "refuse")


@dataclass(frozen=True)
class BuildOptions:
    """What a build can be told; None takes the builder's default.

    Attributes:
        chains: chain policy. ``released`` keeps sessions that come finished.
        rule: turns and cycles of the chains.
        same_category: leave out pairs that cross from one subcategory to another.
        self_loops: ``drop`` (and count) pairs from an image to itself, or ``refuse`` them.
        split: split policy; ``split_rule`` has its parameters.
        clean: kinds of leak (``edge``, ``last-edge``, ...): held-out transactions that have one are left out.
        gallery: gallery rule.
        images: a folder of image files.
        image_captions: a JSON file of captions by image, or a folder of such files.
        name: of the benchmark; the builder's name and policies if not given.
        extra: options that only this builder has.
    """

    chains: str | None = None
    rule: Rule = field(default_factory=Rule)
    same_category: bool = False
    self_loops: str = "drop"
    split: str | None = None
    split_rule: SplitRule = field(default_factory=SplitRule)
    clean: Sequence[str] = ()
    gallery: str | None = None
    images: Path | None = None
    image_captions: Path | None = None
    name: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def build(
    builder_name: str,
    builder: Builder,
    raw_path: Path,
    out: Path,
    options: BuildOptions | None = None,
    *,
    download: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Benchmark:
    """Build a benchmark from raw files and write it to ``out``, whole or not at all.

    Raises:
        MtbenchError: missing or malformed raw files, options that do not fit them, an ``out`` that is in use.
    """
    options = options or BuildOptions()
    unwanted = kinds_named(options.clean)
    check_free(out, replaces="benchmark.json" if overwrite else None)
    made = builder.prepare(raw_path, **options.extra) if isinstance(builder, Draws) else {}
    options = replace(
        options,
        images=options.images or made.get("images"),
        image_captions=options.image_captions or made.get("image_captions"),
    )
    if download and builder.sources:
        fetch(builder.sources, raw_path, progress=progress)
    raw, official = read_raw(builder_name, builder, raw_path, **options.extra)

    transactions, raw_splits, chains = _transactions(builder, raw, options)
    if not transactions:
        made_of = f"{len(raw.pairs):,} pairs" if raw.sessions is None else f"{len(raw.sessions):,} sessions"
        raise MtbenchError(
            f"{raw_path}: {chains['policy']} makes no transaction of {options.rule.min_turns} to "
            f"{options.rule.max_turns} turns of {made_of}. Try another --chains, --min-turns or --max-turns"
        )
    split_rule = replace(options.split_rule, policy=options.split or builder.split)
    assigned = assign(transactions, raw_splits, split_rule, official)
    parts, left_out = parts_of(transactions, assigned, split_rule.policy)
    stands_for = _published_splits(raw_splits, assigned, split_rule, official)

    captions = read_texts(options.image_captions) if options.image_captions else {}
    proxies = _proxies(raw, transactions, captions, options, progress=progress)
    # Under a re-split the published lists say nothing about what a part may contain.
    usual = builder.gallery if split_rule.policy == "official" else "all-images"
    protocol = Protocol(gallery=options.gallery or usual)
    rows = image_rows(parts, stands_for, raw, protocol.gallery, proxies)
    galleries = list(galleries_of(rows, protocol.gallery).values())
    # Only now: a clean subset is ranked against the candidates of the whole, and so is comparable with it.
    parts, unclean = clean_parts(parts, unwanted)
    kept = {transaction.transaction_id for part in parts.values() for transaction in part}
    published_as = [(t, split) for t, split in zip(transactions, raw_splits, strict=True) if t.transaction_id in kept]
    truth = None
    if raw.truth is not None:
        shown = (row["image_id"] for part in rows.values() for row in part)
        truth = truth_of(raw.truth, parts, {(g.split, g.category): g for g in galleries}, shown)
    manifest = {
        "name": options.name
        or raw.name
        or default_name(builder_name, builder, chains["policy"], split_rule.policy, unwanted),
        "schema_version": SCHEMA_VERSION,
        "revision": revision(parts, galleries, protocol),
        "builder": builder_name,
        "options": {**options_given(builder, options.extra), **raw.options},
        "licence": builder.licence,
        "sources": sources_read(builder, raw_path, options.image_captions, captions),
        "chains": chains,
        "split": asdict(split_rule),
        "protocol": asdict(protocol),
        "statistics": statistics(parts, galleries),
        "left_out": {**left_out, **unclean},
        "published": [beside_published(published, published_as, official) for published in builder.published],
        "audit": audit(parts),
        "faults": raw.faults.to_json(),
        "notes": raw.notes,
        "proxies": describe(rows),
        "galleries": [
            {"split": g.split, "category": g.category, "rule": g.rule, "images": len(g), "sha256": g.sha256}
            for g in galleries
        ],
        **({"truth": describe_truth(truth)} if truth else {}),
    }
    local = None
    if proxies.files and options.images:  # real paths: ".." behind a symbolic link leads elsewhere
        local = {"images": os.path.relpath(options.images.resolve(), out.resolve())}
    write_benchmark(out, manifest, parts, rows, truth=truth, local=local, overwrite=overwrite)
    return Benchmark(out)


def _transactions(
    builder: Builder, raw: RawDataset, options: BuildOptions
) -> tuple[list[Transaction], list[str], dict[str, Any]]:
    if raw.sessions is not None:
        if options.chains not in (None, "released"):
            raise MtbenchError(
                "this data comes as finished sessions: leave --chains out, or chain raw FashionIQ with "
                "`mtbench build fashioniq`"
            )
        _refuse_chain_options(options, designed=raw.designed)
        if raw.designed:
            lengths = [len(session.turns) for session in raw.sessions] or [0]
            limits = {"min_turns": min(lengths), "max_turns": max(lengths)}
            return raw.sessions, raw.session_splits, {"policy": "released", **limits}
        kept = []
        for session, split in zip(raw.sessions, raw.session_splits, strict=True):
            if options.rule.min_turns <= len(session.turns) <= options.rule.max_turns:
                kept.append((session, split))
            else:
                raw.faults.add("other-turns", session.transaction_id)
        return (
            [s for s, _ in kept],
            [split for _, split in kept],
            {"policy": "released", "min_turns": options.rule.min_turns, "max_turns": options.rule.max_turns},
        )
    policy = options.chains or builder.chains
    pairs = _chainable(raw, options)
    transactions, raw_splits = transactions_of(pairs, policy, options.rule)
    parameters = {
        **asdict(options.rule),
        "same_category": options.same_category,
        "self_loops": options.self_loops,
    }
    return transactions, raw_splits, {"policy": policy, **parameters, "pairs": len(pairs)}


def _refuse_chain_options(options: BuildOptions, *, designed: bool) -> None:
    """Refuse what only has a meaning where chains are made; the defaults of the command line may stand.

    Sessions that are ``designed`` are not to be taken apart either.
    """
    usual = BuildOptions()
    given = {
        "--cycles": options.rule.cycles != usual.rule.cycles,
        "--same-category": options.same_category != usual.same_category,
        "--self-loops": options.self_loops != usual.self_loops,
        "--min-turns": designed and options.rule.min_turns != usual.rule.min_turns,
        "--max-turns": designed and options.rule.max_turns != usual.rule.max_turns,
        "--split": designed and options.split not in (None, "official"),
        "--dev-share": designed and options.split_rule.dev_share != usual.split_rule.dev_share,
        "--split-seed": designed and options.split_rule.seed != usual.split_rule.seed,
        "--clean": designed and bool(options.clean),
    }
    names = [name for name, differs in given.items() if differs]
    if names:
        raise MtbenchError(
            f"this data comes as finished sessions: {' and '.join(names)} {'do' if len(names) > 1 else 'does'} not "
            "apply, leave it out"
        )


def _chainable(raw: RawDataset, options: BuildOptions) -> list[Pair]:
    """The pairs that may be chained. Self-loops stay in the list: the graph drops them, but must know of them."""
    if options.self_loops not in SELF_LOOPS:
        raise unknown("self-loop rule", options.self_loops, SELF_LOOPS)
    loops = Problems("self-loops", hint="Leave them out and count them: --self-loops drop")
    pairs = []
    for pair in raw.pairs:
        if pair.reference == pair.target:
            raw.faults.add("self-loop", pair.pair_id)
            loops.add(pair.pair_id, f"from {pair.reference} to itself")
        ends = {raw.subcategories.get(pair.reference), raw.subcategories.get(pair.target)}
        if options.same_category and len(ends) > 1:
            raw.faults.add("crosses-category", pair.pair_id)
        else:
            pairs.append(pair)
    if options.self_loops == "refuse":
        loops.raise_if_any()
    return pairs


def _published_splits(
    raw_splits: Sequence[str], assigned: Sequence[str], rule: SplitRule, official: Mapping[str, str]
) -> dict[str, list[str]]:
    """The published splits whose image lists make the gallery of each part."""
    found: dict[str, set[str]] = {split: set() for split in SPLITS}
    for raw_split, part in zip(raw_splits, assigned, strict=True):
        if part in found:  # and not left out
            found[part].add(raw_split)
    if rule.policy == "official":  # a part without transactions still has its published list
        for raw_split, part in official.items():
            found[part].add(raw_split)
    return {split: sorted(names) for split, names in found.items()}


def _proxies(
    raw: RawDataset,
    transactions: Sequence[Transaction],
    captions: Mapping[str, str],
    options: BuildOptions,
    *,
    progress: bool,
) -> Proxies:
    images = {image for listed in raw.image_lists.values() for image in listed}
    images.update(image for pair in raw.pairs for image in (pair.reference, pair.target))
    images.update(image for transaction in transactions for image in transaction.images)
    if captions and not images & captions.keys():
        raise MtbenchError(
            f"{options.image_captions}: none of its {len(captions):,} captions is of an image of this data; "
            f"images are named like {min(images)}"
        )
    files = index_files(options.images, images, progress=progress) if options.images else {}
    return Proxies({image: captions[image] for image in images & captions.keys()}, raw.attributes, files)
