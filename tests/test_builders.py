"""Each raw layout in miniature: what the builders read, count, flag and leave out."""

from __future__ import annotations

import csv
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from layouts import (
    pair,
    session,
    shoe,
    write,
    write_fashioniq,
    write_multiturn,
    write_shoes,
)

import builders.multiturn_fashioniq
from builders.fashioniq import FashionIQ
from builders.multiturn_fashioniq import MultiturnFashionIQ
from builders.pairs import Pairs
from builders.shoes import Shoes
from mtbench.chains.splits import SplitRule
from mtbench.core.errors import MtbenchError
from mtbench.core.types import SPLITS, Pair, Turn
from mtbench.data.build import BuildOptions, build

# Shoes


def test_shoes_pairs_are_numbered_as_in_the_file_and_take_the_split_of_their_images(tmp_path):
    raw = Shoes().read(write_shoes(tmp_path, [shoe("x", "y", " has a bow \n"), shoe("a", "b")]))
    assert raw.pairs == [
        Pair("shoes.00000", "x", ("has a bow",), "y", "shoes", "eval"),
        Pair("shoes.00001", "a", ("more like b",), "b", "shoes", "train"),
    ]
    assert raw.image_lists == {("train", "shoes"): ["a", "b", "c", "d", "e"], ("eval", "shoes"): ["x", "y", "z"]}


def test_the_ten_kinds_of_shoes_are_subcategories_read_from_the_file_names(tmp_path):
    names = ["img_womens_rain_boots_7.jpg", "img_womens_flats_12.jpg", "other.jpg"]
    raw = Shoes().read(write_shoes(tmp_path, [shoe(*names[:2])], train=names, evaluation=[]))
    assert raw.subcategories == {names[0]: "rain_boots", names[1]: "flats"}


def test_the_human_captions_of_shoes_are_measured_and_stand_for_nothing(tmp_path):
    captions = [{"ImageName": name, "Caption": "a shoe"} for name in ("b", "y")]
    folder = write_shoes(tmp_path, evaluation=["w", "x", "y", "z"], captions=captions)
    raw = Shoes().read(folder)
    # y is one of four evaluation images, and one of the two targets there (y and z)
    assert "covers 25% of the evaluation images, but 50% of the images that are a target" in raw.notes[0]
    assert raw.attributes == {}


# FashionIQ


def test_fashioniq_reads_train_and_val_of_three_categories_and_counts_the_hidden_targets(tmp_path):
    folder = write_fashioniq(
        tmp_path,
        {
            ("dress", "train"): [pair("a", "b", ["is red", "is long"])],
            ("shirt", "val"): [pair("s", "t")],
            ("toptee", "train"): [pair("u", "v")],
        },
        hidden={"dress": [{"candidate": "h", "captions": ["?", "?"]}], "toptee": [{"candidate": "i", "captions": []}]},
    )
    raw = FashionIQ().read(folder)
    assert sorted(raw.pairs, key=lambda p: p.pair_id) == [
        Pair("dress.train.00000", "a", ("is red", "is long"), "b", "dress", "train"),
        Pair("shirt.val.00000", "s", ("is t", "more like t"), "t", "shirt", "val"),
        Pair("toptee.train.00000", "u", ("is v", "more like v"), "v", "toptee", "train"),
    ]
    assert raw.faults.counts["hidden-target"] == 2
    assert raw.image_lists["val", "shirt"] == ["s", "t"]
    assert not any(split == "test" for split, _ in raw.image_lists)


def test_an_empty_caption_beside_another_is_left_out_and_counted(tmp_path):
    records = [pair("a", "b", ["  ", " is red "]), pair("b", "c")]
    raw = FashionIQ().read(write_fashioniq(tmp_path, {("dress", "val"): records}))
    assert [p.feedback for p in raw.pairs] == [("is red",), ("is c", "more like c")]
    assert raw.faults.to_json()["empty-caption"] == {"count": 1, "examples": ["cap.dress.val.json, record 0"]}


def test_fashioniq_chains_stay_inside_one_split_and_category(tmp_path):
    folder = write_fashioniq(
        tmp_path / "raw",
        {
            ("dress", "train"): [pair("a", "b"), pair("b", "c")],
            ("dress", "val"): [pair("b", "d"), pair("d", "e")],
            ("shirt", "train"): [pair("c", "f")],
        },
    )
    made = build("fashioniq", FashionIQ(), folder, tmp_path / "out", progress=False)
    found = {t.transaction_id: t.images for split in ("train", "dev", "test") for t in made.transactions(split)}
    assert found == {"dress.train.0000": ("a", "b", "c"), "dress.val.0000": ("b", "d", "e")}


# Multi-turn FashionIQ

RAW_PAIRS = [
    *(pair(*hop) for hop in ("ab", "ba", "aa", "bc", "ac", "pq", "qr")),
    pair("c", "e", ["is e", ""]),
    pair("c", "o", ["is o"]),
    pair("c", "t", ["is t", "more like t", "not c"]),
]
CLEAN = session("a", "b", to="c")
FLAGGED = {
    "repeated-reference": (session("a", "b", "a", to="c"), set()),
    "self-hop": (session("b", "a", to="a"), {"target-shown"}),
    "target-shown": (session("a", "b", to="a"), set()),
    "empty-caption": (session("b", ("c", ["is e", " "]), to="e"), set()),
    "one-caption": (session("b", ("c", ["is o"]), to="o"), set()),
    "three-captions": (session("b", ("c", ["is t", "more like t", "not c"]), to="t"), set()),
    "two-categories": (session("b", "c", to="w"), {"not-a-raw-pair"}),
    "duplicate-session": (CLEAN, set()),
    "edited-caption": (session(("p", ["is q", "much more like q"]), "q", to="r"), set()),
    "not-a-raw-pair": (session("a", "b", to="p"), set()),
    "swapped-references": (session("q", "p", to="r"), {"not-a-raw-pair"}),
}
"""A session that shows each flag after a clean one, and the flags that it cannot but show as well."""


def write_compared(folder, sessions, **kinds):
    """Sessions of dress train with the raw pairs beside them; w is also listed as a shirt."""
    write_fashioniq(folder / "fashioniq", {("dress", "train"): RAW_PAIRS})
    lists = {("dress", "train"): list("abceopqrtw"), ("shirt", "train"): ["w"]}
    return write_multiturn(folder / "multiturn", {("dress", "train"): sessions}, lists=lists, **kinds)


def test_every_flag_of_the_table_has_an_example_here():
    table = set(re.findall(r"^([a-z]+(?:-[a-z]+)+)  +\S", builders.multiturn_fashioniq.__doc__, re.MULTILINE))
    assert table == {*FLAGGED, "one-turn"}


@pytest.mark.parametrize("flag", FLAGGED)
def test_a_faulty_session_is_kept_and_flagged(tmp_path, flag):
    faulty, others = FLAGGED[flag]
    raw = MultiturnFashionIQ().read(write_compared(tmp_path, [CLEAN, faulty]))
    assert raw.sessions[0].flags == ()
    assert set(raw.sessions[-1].flags) == {flag, *others}
    assert raw.faults.counts == dict.fromkeys({flag, *others}, 1)
    assert raw.faults.examples[flag] == ["dress.train.0001"]


def test_a_session_of_one_turn_is_dropped_and_counted_while_ids_keep_counting(tmp_path):
    raw = MultiturnFashionIQ().read(write_compared(tmp_path, [session("a", to="b"), CLEAN]))
    assert [s.transaction_id for s in raw.sessions] == ["dress.train.0001"]
    assert raw.faults.to_json() == {"one-turn": {"count": 1, "examples": ["dress.train.0000"]}}


def test_a_session_keeps_its_captions_in_order_and_names_its_raw_pairs(tmp_path):
    raw = MultiturnFashionIQ().read(write_compared(tmp_path, [session("a", ("b", [" is c", "", "is c"]), to="c")]))
    found = raw.sessions[0]
    assert found.turns == (Turn("a", ("is b", "more like b"), "b"), Turn("b", ("is c", "is c"), "c"))
    assert found.source_pairs == ("dress.train.00000", "dress.train.00003")
    assert found.flags == ("edited-caption", "empty-caption", "three-captions")
    assert raw.session_splits == ["train"]


def test_captions_that_differ_in_order_case_and_blanks_are_not_edited(tmp_path):
    said = ["More  like B ", "is b"]
    raw = MultiturnFashionIQ().read(write_compared(tmp_path, [session(("a", said), "b", to="c")]))
    assert raw.sessions[0].flags == ()


def test_sessions_of_another_category_or_other_order_are_no_duplicates(tmp_path):
    sessions = [session("a", "b", to="c"), session("b", "a", to="c")]
    both = {("dress", "train"): sessions, ("shirt", "val"): sessions[:1]}
    raw = MultiturnFashionIQ().read(write_multiturn(tmp_path, both))
    assert "duplicate-session" not in raw.faults.counts
    assert [s.transaction_id for s in raw.sessions] == ["dress.train.0000", "dress.train.0001", "shirt.val.0000"]


def test_without_the_raw_pairs_nothing_is_compared_and_a_note_says_so(tmp_path):
    raw = MultiturnFashionIQ().read(write_multiturn(tmp_path / "alone", {("dress", "train"): [CLEAN]}))
    assert raw.sessions[0].flags == () and raw.sessions[0].source_pairs == ("", "")
    assert "--raw-pairs" in raw.notes[-1]


def test_the_raw_pairs_can_lie_anywhere(tmp_path):
    elsewhere = write_fashioniq(tmp_path / "there", {("dress", "val"): [pair("a", "b")]})
    folder = write_multiturn(tmp_path / "here" / "multiturn", {("dress", "train"): [CLEAN]})
    raw = MultiturnFashionIQ().read(folder, raw_pairs=elsewhere)
    assert raw.sessions[0].source_pairs == ("dress.val.00000", "")
    with pytest.raises(MtbenchError, match=r"nowhere.* does not exist"):
        MultiturnFashionIQ().read(folder, raw_pairs=tmp_path / "nowhere")


def test_the_leaking_dress_json_is_never_read(tmp_path):
    folder = write_compared(tmp_path, [CLEAN])
    write(folder / "data" / "dress.json", b"\xff{ this is no JSON")
    assert len(MultiturnFashionIQ().read(folder).sessions) == 1


def test_attribute_words_of_the_six_groups_become_one_list_without_repeats(tmp_path):
    words = {"a": [["red", "print "], [], ["red"], ["", "long"], [], []], "b": [[], [], [], [], [], []]}
    raw = MultiturnFashionIQ().read(write_compared(tmp_path, [CLEAN], attributes=words))
    assert raw.attributes == {"a": ("red", "print", "long"), "b": ()}


# Pairs

ROWS = [
    {"from": "a", "to": "b", "said": 'is "red", or so'},
    {"from": "b", "to": "c", "said": "is long\nand wide"},
    {"from": "c", "to": "d", "said": "NaN"},
]
NAMED = {"reference": "from", "target": "to", "feedback": ("said",)}


def write_table(path, rows):
    """The rows in the format that the suffix says."""
    if path.suffix in (".csv", ".tsv"):
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        write(path, "".join(json.dumps(row) + "\n" for row in rows) + "\n")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        write(path, rows)
    return path


def read_rows(tmp_path, rows, *, suffix=".json", **options):
    return Pairs().read(write_table(tmp_path / f"pairs{suffix}", rows), **{**NAMED, **options})


def test_every_format_gives_the_same_benchmark(tmp_path):
    made = {}
    for suffix in (".csv", ".tsv", ".json", ".jsonl", ".parquet"):
        table = write_table(tmp_path / f"pairs{suffix}", ROWS)
        options = BuildOptions(name="mine", extra=NAMED)
        out = tmp_path / suffix[1:]
        build("pairs", Pairs(), table, out, options, progress=False)
        manifest = json.loads((out / "benchmark.json").read_text())
        del manifest["sources"]
        tables = {path.name: pq.read_table(path).to_pylist() for path in sorted(out.rglob("*.parquet"))}
        made[suffix] = (manifest, tables)
    assert all(found == made[".csv"] for found in made.values())
    assert made[".csv"][0]["statistics"]["splits"]["train"]["turns"] == {"2": 1, "3": 1}


def test_an_object_of_columns_as_pandas_writes_it_is_a_table_too(tmp_path):
    by_column = {name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in ROWS[0]}
    table = write(tmp_path / "pairs.json", by_column)
    assert Pairs().read(table, **NAMED).pairs == read_rows(tmp_path, ROWS).pairs


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".parquet"])
def test_feedback_may_be_a_list_of_captions(tmp_path, suffix):
    rows = [
        {"from": "a", "to": "b", "said": ["is red", " is long "]},
        {"from": "b", "to": "c", "said": ["is blue"]},
        {"from": "c", "to": "d", "said": ["", "is green"]},
    ]
    raw = read_rows(tmp_path, rows, suffix=suffix)
    assert [p.feedback for p in raw.pairs] == [("is red", "is long"), ("is blue",), ("is green",)]
    assert raw.faults.to_json() == {"empty-caption": {"count": 1, "examples": ["row 3"]}}


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_several_feedback_columns_are_several_captions(tmp_path, suffix):
    rows = [
        {"from": "a", "to": "b", "one": "is red", "two": "is long"},
        {"from": "b", "to": "c", "one": "x", "two": ""},
    ]
    raw = read_rows(tmp_path, rows, suffix=suffix, feedback=("two", "one"))
    assert [p.feedback for p in raw.pairs] == [("is long", "is red"), ("x",)]


def test_one_feedback_column_may_be_given_as_plain_text(tmp_path):
    assert read_rows(tmp_path, ROWS, feedback="said").pairs == read_rows(tmp_path, ROWS).pairs
    with pytest.raises(MtbenchError, match="name a column of feedback"):
        read_rows(tmp_path, ROWS, feedback=())


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_whole_numbers_are_names(tmp_path, suffix):
    rows = [{"from": 7, "to": 12345678901234567, "said": "x"}, {"from": 12345678901234567, "to": 7, "said": "y"}]
    raw = read_rows(tmp_path, rows, suffix=suffix)
    assert [(p.reference, p.target) for p in raw.pairs] == [("7", "12345678901234567"), ("12345678901234567", "7")]


def test_leading_zeros_and_the_word_nan_stay_as_they_are_in_a_csv(tmp_path):
    raw = read_rows(tmp_path, [{"from": "007", "to": "NA", "said": "null"}], suffix=".csv")
    assert raw.pairs == [Pair("pairs.00000", "007", ("null",), "NA", "all", "train")]


def test_rows_of_one_pair_are_merged_on_request(tmp_path):
    rows = [*ROWS, {"from": "a", "to": "b", "said": "has dots"}, {"from": "a", "to": "b", "said": "has dots"}]
    raw = read_rows(tmp_path, rows, merge_captions=True)
    assert raw.pairs[0] == Pair("pairs.00000", "a", ('is "red", or so', "has dots"), "b", "all", "train")
    assert len(raw.pairs) == 3
    with pytest.raises(MtbenchError, match=r"row 4: the same pair as row 1; .*--merge-captions"):
        read_rows(tmp_path, rows)


def test_category_and_split_columns_separate_pairs(tmp_path):
    rows = [
        {"from": "a", "to": "b", "said": "x", "kind": "bags", "part": "train"},
        {"from": "a", "to": "b", "said": "y", "kind": "hats", "part": "val"},
        {"from": "b", "to": "c", "said": "z", "kind": "bags", "part": "dev"},
    ]
    raw = read_rows(tmp_path, rows, category="kind", split_column="part")
    assert [(p.category, p.split) for p in raw.pairs] == [("bags", "train"), ("hats", "val"), ("bags", "dev")]
    assert raw.notes == ["The published split 'val' is test: the table has no other test part."]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_part_is_dev_beside_a_test_part_and_else_is_the_test_part(tmp_path, name):
    hops = {"train": "abc", name: "def", "test": "ghi"}
    rows = [{"from": x, "to": y, "said": "s", "part": p} for p, (a, b, c) in hops.items() for x, y in (a + b, b + c)]
    options = BuildOptions(split="official", split_rule=SplitRule(dev_share=0), extra={**NAMED, "split_column": "part"})
    found = {}
    for kind, kept in {"both": rows, "alone": rows[:4]}.items():
        table = write_table(tmp_path / f"{kind}.csv", kept)
        made = build("pairs", Pairs(), table, tmp_path / kind, options, progress=False)
        found[kind] = {split: "".join(i for t in made.transactions(split) for i in t.images) for split in SPLITS}
        assert any(f"'{name}' is {'dev' if kind == 'both' else 'test'}" in note for note in made.manifest["notes"])
    assert found["both"] == {"train": "abc", "dev": "def", "test": "ghi"}
    assert found["alone"] == {"train": "abc", "dev": "", "test": "def"}


def test_a_published_split_column_is_kept_by_the_official_policy(tmp_path):
    parts = {"train": "abc", "dev": "def", "valid": "ghi"}
    rows = [
        {"from": x, "to": y, "said": "s", "part": part} for part, (a, b, c) in parts.items() for x, y in (a + b, b + c)
    ]
    options = BuildOptions(split="official", extra={**NAMED, "split_column": "part"})
    table = write_table(tmp_path / "pairs.csv", rows)
    made = build("pairs", Pairs(), table, tmp_path / "out", options, progress=False)
    assert {split: [t.images for t in made.transactions(split)] for split in ("train", "dev", "test")} == {
        "train": [("a", "b", "c")],
        "dev": [("d", "e", "f")],
        "test": [("g", "h", "i")],
    }
