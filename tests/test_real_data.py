"""The published files: the counts that papers, releases and our own measurements give for them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import networkx as nx
import pytest

from builders.fashioniq import CATEGORIES, FashionIQ
from builders.multiturn_fashioniq import MultiturnFashionIQ
from builders.shoes import Shoes
from mtbench.chains.leakage import FLAG, audit, audit_against
from mtbench.chains.policies import Rule
from mtbench.chains.splits import SplitRule, assign, components
from mtbench.chains.transactions import transactions_of
from mtbench.core.types import SPLITS
from mtbench.data.build import BuildOptions, build
from mtbench.data.parts import clean_parts, kinds_named
from mtbench.data.pretraining import train_pairs

TURNS = ("2", "3", "4")


@pytest.fixture(scope="session")
def shoes(real_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("real") / "shoes"
    return build("shoes", Shoes(), real_data / "shoes", out, progress=False)


@pytest.fixture(scope="session")
def shoe_pairs(real_data):
    return Shoes().read(real_data / "shoes").pairs


@pytest.fixture(scope="session")
def fashioniq(real_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("real") / "fashioniq"
    return build("fashioniq", FashionIQ(), real_data / "fashioniq", out, progress=False)


@pytest.fixture(scope="session")
def multiturn(real_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("real") / "multiturn"
    return build("multiturn-fashioniq", MultiturnFashionIQ(), real_data / "multiturn_fashioniq", out, progress=False)


def every(benchmark):
    return [t for split in SPLITS for t in benchmark.transactions(split)]


def published_split(transaction):
    return transaction.transaction_id.split(".")[1]


def by_turns(transactions):
    counts = Counter(len(t.turns) for t in transactions)
    return tuple(counts[n] for n in (2, 3, 4))


# Shoes


def test_shoes_holds_the_pairs_images_and_self_loops_that_were_measured(shoes, shoe_pairs):
    assert Counter(pair.split for pair in shoe_pairs) == {"train": 8990, "eval": 1761}
    assert shoes.manifest["faults"]["self-loop"]["count"] == 27
    assert [len(shoes.gallery(split, "shoes")) for split in SPLITS] == [10_000, 10_000, 4_658]
    assert all(source["as_published"] for source in shoes.manifest["sources"])


SHOES = {
    ("all-paths", "stop"): {"train": (7727, 6489, 5449), "eval": (648, 238, 101)},
    ("maximal", "stop"): {"train": (1209, 1173, 797), "eval": (312, 104, 42)},
    ("one-per-target", "keep"): {"train": (1707, 1105, 632), "eval": (295, 97, 29)},
    ("one-per-target", "stop"): {"train": (1654, 998, 541), "eval": (288, 78, 25)},
    ("one-per-target", "drop"): {"train": (1329, 780, 414), "eval": (265, 74, 25)},
}


@pytest.mark.parametrize(("policy", "cycles"), SHOES)
def test_shoes_chains_as_often_as_was_measured(shoe_pairs, policy, cycles):
    transactions, splits = transactions_of(shoe_pairs, policy, Rule(cycles=cycles))
    for split, counts in SHOES[policy, cycles].items():
        assert by_turns(t for t, s in zip(transactions, splits, strict=True) if s == split) == counts


def test_where_cycles_are_kept_the_first_image_shown_is_often_the_target(shoe_pairs):
    transactions, splits = transactions_of(shoe_pairs, "one-per-target", Rule(cycles="keep"))
    back = Counter(s for t, s in zip(transactions, splits, strict=True) if t.target == t.turns[0].reference)
    assert back == {"eval": 39, "train": 421}


def test_the_shoes_manifest_prints_the_published_counts_beside_ours(shoes):
    train, test = shoes.manifest["published"]
    assert test["turns"] == {"2": 296, "3": 96, "4": 28} and test["ours"] == {"2": 288, "3": 78, "4": 25}
    assert train["difference"] == {"2": 1654 - 1659, "3": 998 - 1036, "4": 541 - 982}
    assert shoes.manifest["audit"]["test"]["image"] == 0


# FashionIQ


def test_fashioniq_gives_the_chains_of_the_release_before_its_filter(fashioniq):
    assert by_turns(every(fashioniq)) == (6670, 2545, 941)
    assert fashioniq.manifest["published"][0]["difference"] == dict.fromkeys(TURNS, 0)
    assert fashioniq.manifest["chains"]["pairs"] == 24_016
    assert fashioniq.manifest["faults"]["hidden-target"]["count"] == 6_118


def test_the_recovered_rule_explains_all_but_ten_of_the_released_raw_chains(fashioniq, multiturn):
    ours = {(t.category, t.images) for t in every(fashioniq)}
    released = {(t.category, t.images) for t in every(multiturn) if is_raw_chain(t)}
    assert len(released) == 6173 and len(released & ours) == 6163


def is_raw_chain(transaction):
    """Whether all turns are raw pairs of one published FashionIQ split."""
    sources = transaction.source_pairs
    return "" not in sources and len({source.split(".")[1] for source in sources}) == 1


# Multi-turn FashionIQ


def test_the_release_has_its_published_counts_and_ids(multiturn):
    released = every(multiturn)
    assert by_turns(t for t in released if published_split(t) == "train") == (6897, 1733, 475)
    assert by_turns(t for t in released if published_split(t) == "val") == (1752, 483, 165)
    assert by_turns(multiturn.transactions("test")) == (1752, 483, 165)
    for published in multiturn.manifest["published"]:
        assert published["difference"] == dict.fromkeys(TURNS, 0)
    ids = {t.transaction_id for t in released}
    assert len(ids) == len(released) == 11_505
    assert {"dress.val.0000", "dress.val.0999"} <= ids and "dress.val.1000" not in ids
    assert "toptee.train.1339" not in ids and "toptee.train.1340" in ids  # the session of one turn


def test_every_fault_of_the_release_is_counted(multiturn):
    found = {kind: fault["count"] for kind, fault in multiturn.manifest["faults"].items()}
    assert found["one-turn"] == 1 and found["self-hop"] == 1 and found["swapped-references"] == 232
    assert found["one-caption"] == 21 and found["three-captions"] == 12 and found["empty-caption"] == 13
    assert found["repeated-reference"] == 11 and found["two-categories"] == 367 and found["duplicate-session"] == 28
    flags = Counter(flag for t in every(multiturn) for flag in t.flags if not flag.startswith(FLAG))
    assert flags == {kind: count for kind, count in found.items() if kind != "one-turn"}


def test_the_released_split_leaks_as_was_measured(multiturn):
    test = multiturn.manifest["audit"]["test"]
    assert test["transactions"] == 2400
    assert (test["edge"], test["last_edge"], test["final_target"]) == (1306, 781, 841)
    assert test["by_turns"]["2"]["last_edge"] == 341
    shares = [test["by_turns"][n]["last_edge"] / test["by_turns"][n]["transactions"] for n in TURNS]
    assert [f"{share:.1%}" for share in shares] == ["19.5%", "64.0%", "79.4%"]
    clean = [2400 - test[kind] for kind in ("edge", "final_target", "image")]
    assert clean == [1094, 1559, 773]


def test_most_of_the_released_val_ends_in_a_pair_of_the_train_captions(multiturn):
    assert sum(t.source_pairs[-1].split(".")[1:2] == ["train"] for t in multiturn.transactions("test")) == 1755


def test_a_re_split_of_the_release_shares_no_pair_and_loses_none(multiturn):
    released = every(multiturn)
    rule = SplitRule("edge-target-disjoint")
    parts = {split: [] for split in SPLITS}
    for t, part in zip(
        released,
        assign(released, [published_split(t) for t in released], rule, MultiturnFashionIQ.official),
        strict=True,
    ):
        parts[part].append(t)
    assert sum(map(len, parts.values())) == 11_505 and all(parts.values())
    found = audit(parts)
    for part in ("test", "dev"):
        assert {kind: found[part][kind] for kind in ("edge", "last_edge", "all_edges", "sub_chain")} == {
            "edge": 0,
            "last_edge": 0,
            "all_edges": 0,
            "sub_chain": 0,
        }
    targets = [{(t.category, t.target) for t in parts[split]} for split in SPLITS]
    assert not targets[0] & targets[1] and not targets[0] & targets[2] and not targets[1] & targets[2]
    reversed_pairs = {(t.category, b, a) for t in (*parts["train"], *parts["dev"]) for a, b in pairwise(t.images)}
    assert not any((t.category, *hop) in reversed_pairs for t in parts["test"] for hop in pairwise(t.images))


CLEAN = {"edge": (1094, 469), "final-target": (1559, 158), "image": (773, 10)}


@pytest.mark.parametrize("kind", CLEAN)
def test_the_clean_subsets_of_the_released_val_are_those_that_were_measured(multiturn, kind):
    """Against train and dev together, which is the published train."""
    parts, left_out = clean_parts({split: multiturn.transactions(split) for split in SPLITS}, kinds_named([kind]))
    test, dev = CLEAN[kind]
    assert (len(parts["test"]), len(parts["dev"]), len(parts["train"])) == (test, dev, 8636)
    assert left_out == {f"clean-{kind}": {"test": 2400 - test, "dev": 469 - dev}}
    unflagged = [t for t in multiturn.transactions("test") if f"leak-{kind}" not in t.flags]
    assert [t.transaction_id for t in parts["test"]] == [t.transaction_id for t in unflagged]
    assert audit(parts)["test"][kind.replace("-", "_")] == 0


def test_a_clean_subset_is_one_option_away_and_keeps_the_galleries(real_data, multiturn, tmp_path):
    raw, options = real_data / "multiturn_fashioniq", BuildOptions(clean=("edge",))
    made = build("multiturn-fashioniq", MultiturnFashionIQ(), raw, tmp_path / "clean", options, progress=False)
    assert made.name == "multiturn-fashioniq-clean-edge"
    assert by_turns(made.transactions("test")) == (1017, 70, 7)
    assert made.manifest["left_out"] == {"clean-edge": {"test": 1306, "dev": 0}}
    assert made.transactions("train") == multiturn.transactions("train")
    assert made.galleries == multiturn.galleries


def test_the_strict_split_shows_no_held_out_target_in_training(multiturn):
    released = every(multiturn)
    splits = [published_split(t) for t in released]
    disjoint, strict = (
        assign(released, splits, SplitRule(policy), MultiturnFashionIQ.official)
        for policy in ("edge-target-disjoint", "edge-target-strict")
    )
    parts = {split: [t for t, part in zip(released, disjoint, strict=True) if part == split] for split in SPLITS}
    assert (audit(parts)["test"]["transactions"], audit(parts)["test"]["final_target"]) == (1853, 874)
    parts = {split: [t for t, part in zip(released, strict, strict=True) if part == split] for split in SPLITS}
    assert {split: len(rows) for split, rows in parts.items()} == {"train": 7805, "dev": 423, "test": 1853}
    assert Counter(strict)["left out of train"] == 1356 and Counter(strict)["left out of dev"] == 68
    for found in audit(parts).values():
        assert found["transactions"] and found["edge"] == found["final_target"] == 0


def test_most_of_the_released_val_ends_in_a_pair_that_models_were_pre_trained_on(real_data, multiturn):
    known = train_pairs("fashioniq", FashionIQ(), real_data / "fashioniq")
    assert len(known) == 18_000
    found = audit_against({"test": multiturn.transactions("test")}, known)["test"]
    assert (found["transactions"], found["last_edge"]) == (2400, 1755)


MEASURED = {"dress": (1768, 43), "shirt": (1674, 44), "toptee": (1781, 32)}


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_components_that_were_measured_lie_within_ours(multiturn, category):
    """They were counted over directed pairs; ours are undirected, so that a reversed pair does not leak either."""
    sessions = [t for t in every(multiturn) if t.category == category]
    graph = nx.Graph()
    for number, t in enumerate(sessions):
        graph.add_edges_from((number, ("pair", hop)) for hop in pairwise(t.images))
        graph.add_edge(number, ("target", t.target))
    names = components(sessions)
    found = [[n for n in component if isinstance(n, int)] for component in nx.connected_components(graph)]
    assert (len(found), max(map(len, found))) == MEASURED[category]
    assert all(len({names[n] for n in component}) == 1 for component in found)
    assert len(set(names)) <= len(found)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_split_that_shares_no_image_is_not_feasible(multiturn, category):
    sessions = [t for t in every(multiturn) if t.category == category]
    graph = nx.Graph()
    for number, t in enumerate(sessions):
        graph.add_edges_from((number, image) for image in t.images)
    largest = max(nx.connected_components(graph), key=len)
    assert sum(isinstance(n, int) for n in largest) > 0.9 * len(sessions)
