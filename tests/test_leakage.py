"""The audit: each kind of leak by hand, and all of them against plain loops."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbench.chains.leakage import (
    AGAINST,
    KINDS,
    audit,
    audit_against,
    clean,
    flag_of,
    flagged,
    kind_named,
    leaks,
    leaks_of,
)
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Transaction, Turn


def dialogue(path, category="dress"):
    return Transaction("-".join(path), category, tuple(Turn(a, ("x",), b) for a, b in pairwise(path)))


BY_HAND = {
    # against the one known dialogue a -> b -> c -> d
    "xyz": "",
    "xay": "image",
    "xyb": "final_target image",  # b is a target there
    "xya": "final_target image",  # a is a reference there, so the image to find was seen
    "abx": "edge image",
    "xab": "edge last_edge final_target image",
    "bax": "image",  # the pair the other way round is another pair
    "abc": "edge last_edge all_edges sub_chain final_target image",
    "bcd": "edge last_edge all_edges sub_chain final_target image",
    "abcd": "edge last_edge all_edges sub_chain final_target image",
    "abcdx": "edge image",
    "xbcd": "edge last_edge final_target image",
    "acd": "edge last_edge final_target image",
}


@pytest.mark.parametrize("path", BY_HAND)
def test_each_kind_of_leak_by_hand(path):
    found = leaks([dialogue(path)], [dialogue("abcd")])
    assert found == [{kind: kind in BY_HAND[path].split() for kind in KINDS}]


def test_all_pairs_may_be_known_from_dialogues_that_never_stood_together():
    found = leaks([dialogue("abc")], [dialogue("xab"), dialogue("bcy")])[0]
    assert found["all_edges"] and not found["sub_chain"]


def test_a_leak_does_not_cross_categories():
    assert not any(leaks([dialogue("abc")], [dialogue("abc", "shirt")])[0].values())


def test_the_audit_counts_test_against_train_and_dev_and_dev_against_train():
    parts = {
        "train": [dialogue("abc")],
        "dev": [dialogue("bcd"), dialogue("klmn", "shirt")],
        "test": [dialogue("abx"), dialogue("ucdv"), dialogue("klmo", "shirt"), dialogue("klm", "hat")],
    }
    found = audit(parts)
    nothing = dict.fromkeys(KINDS, 0)
    # test: a-b is in train, c-d in dev, k-l-m in dev of its category; hats are nowhere else
    assert {k: found["test"][k] for k in ("transactions", *KINDS)} == {
        **nothing,
        "transactions": 4,
        "edge": 3,
        "image": 3,
    }
    assert found["test"]["by_turns"] == {
        "2": {**nothing, "transactions": 2, "edge": 1, "image": 1},
        "3": {**nothing, "transactions": 2, "edge": 2, "image": 2},
    }
    assert list(found["test"]["by_category"]) == ["dress", "hat", "shirt"]
    assert found["test"]["by_category"]["hat"] == {**nothing, "transactions": 1}
    # dev: b-c is in train, where d is no image
    assert {k: found["dev"][k] for k in ("transactions", *KINDS)} == {
        **nothing,
        "transactions": 2,
        "edge": 1,
        "image": 1,
    }


def test_leaks_are_told_of_held_out_splits_alone_and_against_what_is_declared():
    parts = {"train": [dialogue("abc")], "dev": [dialogue("def")], "test": [dialogue("xde"), dialogue("xbc")]}
    assert dict(AGAINST) == {"test": ("train", "dev"), "dev": ("train",)}
    assert [leak["last_edge"] for leak in leaks_of(parts, "test")] == [True, True]
    assert leaks_of(parts, "dev") == [dict.fromkeys(KINDS, False)]
    with pytest.raises(MtbenchError, match="no held-out split named 'train'"):
        leaks_of(parts, "train")


def test_flags_name_the_leaks_beside_the_other_flags_and_replace_older_ones():
    old = replace(dialogue("xbc"), flags=("self-hop", "leak-sub-chain"))
    parts = {"train": [dialogue("abc")], "dev": [], "test": [old, dialogue("uvw")]}
    seen = ("leak-edge", "leak-last-edge", "leak-final-target", "leak-image")
    found = flagged(parts)
    assert [t.flags for t in found["test"]] == [("self-hop", *seen), ()]
    assert flagged(found) == found and found["train"] == parts["train"]
    assert [flag_of(kind) for kind in KINDS] == [*seen[:2], "leak-all-edges", "leak-sub-chain", *seen[2:]]
    assert parts["test"][0] is old and old.flags == ("self-hop", "leak-sub-chain")


def test_kinds_of_leak_are_named_as_they_are_typed():
    assert [kind_named(name) for name in ("last-edge", "last_edge", "image")] == ["last_edge", "last_edge", "image"]
    with pytest.raises(MtbenchError, match=r"no kind of leak named 'targets'\. Did you mean '.*target'"):
        kind_named("targets")


def test_an_empty_part_leaks_nothing():
    found = audit({"train": [], "dev": [], "test": [dialogue("abc")]})
    assert found["dev"] == {"transactions": 0, **dict.fromkeys(KINDS, 0), "by_turns": {}, "by_category": {}}
    assert found["test"]["image"] == 0


def slow_leaks(one, known):
    """The table of the module's docstring, word for word."""
    known = [other.images for other in known if other.category == one.category]
    mine = list(pairwise(one.images))
    theirs = [hop for path in known for hop in pairwise(path)]
    length = len(one.images)
    return {
        "edge": any(hop in theirs for hop in mine),
        "last_edge": mine[-1] in theirs,
        "all_edges": all(hop in theirs for hop in mine),
        "sub_chain": any(path[i : i + length] == one.images for path in known for i in range(len(path))),
        "final_target": any(one.target in path for path in known),
        "image": any(image in path for image in one.images for path in known),
    }


dialogues = st.lists(
    st.builds(
        dialogue, st.lists(st.sampled_from("abcdefg"), min_size=2, max_size=5), st.sampled_from(["dress", "hat"])
    ),
    max_size=8,
)


@given(tested=dialogues, known=dialogues)
@settings(max_examples=150, deadline=None)
def test_every_leak_agrees_with_plain_loops(tested, known):
    assert leaks(tested, known) == [slow_leaks(one, known) for one in tested]


@given(train=dialogues, dev=dialogues, tested=dialogues)
@settings(max_examples=40, deadline=None)
def test_the_audit_adds_up(train, dev, tested):
    found = audit({"train": train, "dev": dev, "test": tested})
    for part, transactions, known in (("test", tested, train + dev), ("dev", dev, train)):
        slow = [slow_leaks(one, known) for one in transactions]
        assert {kind: found[part][kind] for kind in KINDS} == {kind: sum(s[kind] for s in slow) for kind in KINDS}
        for table in ("by_turns", "by_category"):
            for kind in ("transactions", *KINDS):
                assert sum(row[kind] for row in found[part][table].values()) == found[part][kind]


@given(train=dialogues, dev=dialogues, tested=dialogues, kinds=st.sets(st.sampled_from(KINDS), min_size=1))
@settings(max_examples=60, deadline=None)
def test_a_clean_part_is_what_has_none_of_the_leaks_and_train_stays_whole(train, dev, tested, kinds):
    parts = {"train": train, "dev": dev, "test": tested}
    found = clean(parts, kinds)
    assert found["train"] == train
    for part, known in (("test", train + dev), ("dev", train)):
        wanted = [t for t in parts[part] if not any(slow_leaks(t, known)[kind] for kind in kinds)]
        assert found[part] == wanted
        assert all(audit(found)[part][kind] == 0 for kind in kinds)


@given(tested=dialogues, known=dialogues)
@settings(max_examples=30, deadline=None)
def test_an_audit_against_elsewhere_counts_every_part_against_it(tested, known):
    found = audit_against({"train": tested, "test": tested[:2]}, iter(known))
    for part, rows in (("train", tested), ("test", tested[:2])):
        slow = [slow_leaks(one, known) for one in rows]
        assert {kind: found[part][kind] for kind in KINDS} == {kind: sum(s[kind] for s in slow) for kind in KINDS}
