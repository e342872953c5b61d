"""Split policies: what is connected stays together, and nothing is random per run."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import combinations, pairwise

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbench.chains.leakage import audit
from mtbench.chains.splits import SplitRule, assign, components
from mtbench.core.errors import MtbenchError
from mtbench.core.types import SPLITS, Transaction, Turn

OFFICIAL = {"train": "train", "val": "test"}


def dialogue(path, category="dress", name=""):
    turns = tuple(Turn(a, (f"more like {b}",), b) for a, b in pairwise(path))
    return Transaction(name or f"{category}.{'-'.join(path)}", category, turns)


paths = st.lists(st.sampled_from("abcdefghijkl"), min_size=3, max_size=5)
dialogues = st.lists(st.builds(dialogue, paths, st.sampled_from(["dress", "shirt"])), max_size=25)
seeds = st.integers(0, 5)


def undirected(transaction):
    return {(transaction.category, *sorted(hop)) for hop in pairwise(transaction.images)}


def connected(one, other):
    """The rule in plain words: a shared pair, whatever its direction, or the same final target."""
    same_target = (one.category, one.target) == (other.category, other.target)
    return same_target or bool(undirected(one) & undirected(other))


def reference_components(transactions):
    graph = nx.Graph()
    graph.add_nodes_from(range(len(transactions)))
    for (i, one), (j, other) in combinations(enumerate(transactions), 2):
        if connected(one, other):
            graph.add_edge(i, j)
    return {frozenset(component) for component in nx.connected_components(graph)}


def test_what_connects_two_transactions():
    together = [("abc", "dbc"), ("abc", "cbd"), ("abc", "xyc"), ("abcd", "bcef")]  # pair, reversed, target, inner pair
    apart = [("abc", "ade"), ("abc", "xby"), ("abc", "cde"), ("abc", "xcb"[::2] + "z")]  # reference, inner, end = start
    for one, other in together:
        assert len(set(components([dialogue(one), dialogue(other)]))) == 1, (one, other)
    for one, other in apart:
        assert len(set(components([dialogue(one), dialogue(other)]))) == 2, (one, other)
    assert len(set(components([dialogue("abc"), dialogue("abc", "shirt")]))) == 2
    # the first two share nothing, but both share something with the third
    assert len(set(components([dialogue("abc"), dialogue("xyz"), dialogue("abyz")]))) == 1


def test_a_component_is_named_after_its_first_pair_in_sorted_order():
    assert components([dialogue("zyc"), dialogue("bac")]) == ["dress\ta\tb"] * 2


@given(transactions=dialogues)
@settings(max_examples=80, deadline=None)
def test_components_agree_with_networkx(transactions):
    names = components(transactions)
    found = {frozenset(i for i, n in enumerate(names) if n == name) for name in set(names)}
    assert found == reference_components(transactions)


@given(transactions=dialogues, seed=seeds, shares=st.sampled_from([(0.05, 0.15), (0.3, 0.3), (0, 0.5), (0.5, 0)]))
@settings(max_examples=80, deadline=None)
def test_a_re_split_shares_no_pair_in_either_direction_and_no_final_target_and_loses_none(transactions, seed, shares):
    rule = SplitRule("edge-target-disjoint", *shares, seed)
    parts = assign(transactions, ["train"] * len(transactions), rule, OFFICIAL)
    assert len(parts) == len(transactions) and {*parts} <= {"train", "dev", "test"}
    for (one, here), (other, there) in combinations(zip(transactions, parts, strict=True), 2):
        assert here == there or not connected(one, other)


@given(transactions=dialogues, seed=seeds)
@settings(max_examples=120, deadline=None)
def test_the_strict_re_split_is_the_disjoint_one_without_what_shows_a_held_out_target(transactions, seed):
    shares, published = (0.3, 0.3, seed), ["train"] * len(transactions)
    disjoint, strict = (
        assign(transactions, published, SplitRule(policy, *shares), OFFICIAL)
        for policy in ("edge-target-disjoint", "edge-target-strict")
    )

    def targets(parts, split):
        return {(t.category, t.target) for t, part in zip(transactions, parts, strict=True) if part == split}

    def shows(transaction, wanted):
        return bool({(transaction.category, image) for image in transaction.images} & wanted)

    for transaction, before, after in zip(transactions, disjoint, strict, strict=True):
        of_test = shows(transaction, targets(disjoint, "test"))
        # what is left of dev is what counts for train
        in_the_way = {
            "train": of_test or shows(transaction, targets(strict, "dev")),
            "dev": of_test,
            "test": False,
        }
        assert after == (f"left out of {before}" if in_the_way[before] else before)
    parts = {split: [t for t, p in zip(transactions, strict, strict=True) if p == split] for split in SPLITS}
    for found in audit(parts).values():
        assert found["edge"] == found["final_target"] == 0


@given(transactions=dialogues, seed=seeds, data=st.data())
@settings(max_examples=80, deadline=None)
def test_the_official_split_keeps_test_and_cuts_dev_out_of_train_by_component(transactions, seed, data):
    published = data.draw(
        st.lists(st.sampled_from(["train", "val"]), min_size=len(transactions), max_size=len(transactions))
    )
    parts = assign(transactions, published, SplitRule("official", dev_share=0.5, seed=seed), OFFICIAL)
    for part, split in zip(parts, published, strict=True):
        assert (part == "test") == (split == "val")
    for component in reference_components(transactions):
        assert len({parts[i] for i in component} - {"test"}) <= 1


@given(transactions=dialogues, seed=seeds, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_transaction_keeps_its_part_whatever_the_order_and_whatever_else_is_there(transactions, seed, data):
    rule = SplitRule("edge-target-disjoint", 0.3, 0.3, seed)
    alone = {}
    for component in reference_components(transactions):
        inside = [transactions[i] for i in sorted(component)]
        parts = assign(inside, ["train"] * len(inside), rule, OFFICIAL)
        alone.update(zip(inside, parts, strict=True))
    shuffled = data.draw(st.permutations(transactions))
    assert assign(shuffled, ["train"] * len(shuffled), rule, OFFICIAL) == [alone[t] for t in shuffled]


def test_the_shares_are_shares_of_the_components_and_the_seed_chooses_them():
    lone = [dialogue((f"{n}a", f"{n}b", f"{n}c")) for n in range(4000)]
    of_seed = [assign(lone, ["train"] * 4000, SplitRule("edge-target-disjoint", seed=s), OFFICIAL) for s in (0, 1)]
    for parts in of_seed:
        counts = Counter(parts)
        assert 150 < counts["dev"] < 250 and 530 < counts["test"] < 670  # 200 and 600, within 3.5 deviations
    assert of_seed[0] != of_seed[1]
    dev = assign(lone, ["train"] * 4000, SplitRule(dev_share=0.05), OFFICIAL).count("dev")
    assert 150 < dev < 250


def test_the_part_of_a_component_is_the_same_on_every_machine():
    lone = [dialogue((f"{n}a", f"{n}b", f"{n}c")) for n in range(6)]
    places = [int(hashlib.sha256(f"0\tdress\t{n}a\t{n}b".encode()).hexdigest()[:16], 16) / 2**64 for n in range(6)]
    wanted = ["test" if place < 0.3 else "dev" if place < 0.6 else "train" for place in places]
    assert wanted == ["train", "train", "train", "train", "test", "test"]
    assert assign(lone, ["train"] * 6, SplitRule("edge-target-disjoint", 0.3, 0.3), OFFICIAL) == wanted


def test_the_strict_re_split_leaves_out_who_passes_by_a_held_out_target():
    lone = [dialogue((f"{n}a", f"{n}b", f"{n}c")) for n in range(6)]  # 4 and 5 are test, as above
    passing = {"to the target": ("s", "4c", "t"), "elsewhere": ("s", "4b", "t"), "other category": ("s", "4c", "t")}
    for name, path in passing.items():
        added = dialogue(path, "shirt" if name == "other category" else "dress")
        parts = {}
        for policy in ("edge-target-disjoint", "edge-target-strict"):
            rule = SplitRule(policy, 0, 0.3)
            *others, parts[policy] = assign([*lone, added], ["train"] * 7, rule, OFFICIAL)
            assert others == ["train"] * 4 + ["test"] * 2
        wanted = "left out of train" if name == "to the target" else "train"
        assert parts == {"edge-target-disjoint": "train", "edge-target-strict": wanted}


def test_a_share_of_zero_gives_no_such_part():
    lone = [dialogue((f"{n}a", f"{n}b", f"{n}c")) for n in range(50)]
    assert {*assign(lone, ["train"] * 50, SplitRule("edge-target-disjoint", 0, 0), OFFICIAL)} == {"train"}
    assert {*assign(lone, ["train"] * 50, SplitRule(dev_share=0), OFFICIAL)} == {"train"}


def test_a_published_dev_part_is_kept_and_nothing_is_cut_out_of_train():
    lone = [dialogue((f"{n}a", f"{n}b", f"{n}c")) for n in range(50)]
    published = ["train"] * 40 + ["dev"] * 10
    assert (
        assign(lone, published, SplitRule(dev_share=0.9, test_share=0), {"train": "train", "dev": "dev"}) == published
    )


def test_no_transactions_have_no_parts():
    assert components([]) == [] and assign([], [], SplitRule(), OFFICIAL) == []


def test_wrong_rules_are_refused():
    with pytest.raises(MtbenchError, match=r"no split policy named 'disjoint'.*official"):
        SplitRule("disjoint")
    for shares in ((-0.1, 0), (0, -0.1), (0.5, 0.5), (float("nan"), 0)):
        with pytest.raises(MtbenchError, match="must be 0 or more, and leave something to train on"):
            SplitRule("official", *shares)
    with pytest.raises(MtbenchError, match=r"map to \['tset'\], which is none of train, dev, test"):
        assign([dialogue("abc")], ["val"], SplitRule(), {"val": "tset"})
