"""The folder that a build writes: the same bytes each time, whole or not at all, with the galleries it declares."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layouts import pair, session, shoe, write, write_fashioniq, write_multiturn, write_shoes

from builders.fashioniq import FashionIQ
from builders.multiturn_fashioniq import MultiturnFashionIQ
from builders.shoes import Shoes
from mtbench.chains.policies import Rule
from mtbench.chains.splits import SplitRule
from mtbench.core.errors import MtbenchError
from mtbench.core.types import SPLITS, Pair
from mtbench.data.benchmark import Benchmark, load, revision
from mtbench.data.build import BuildOptions, build
from mtbench.data.raw import Option, RawDataset

GROUPS = range(12)
RECORDS = [shoe(*hop) for n in GROUPS for hop in ((f"a{n}", f"b{n}"), (f"b{n}", f"c{n}"))]
RECORDS += [shoe("x", "y"), shoe("y", "z"), shoe("z", "z")]
LISTS = {"train": [f"{letter}{n}" for n in GROUPS for letter in "abcu"], "evaluation": ["w", "x", "y", "z"]}
DEV = SplitRule(dev_share=0.3)


def shoes(tmp_path, records=RECORDS, *, out="out", captions=None, images=None, **options):
    """A benchmark of twelve train dialogues a-b-c, some of them dev, and one of test, x-y-z."""
    raw = write_shoes(tmp_path / "raw", records, **LISTS)
    options = BuildOptions(split_rule=DEV, image_captions=captions, images=images, **options)
    return build("shoes", Shoes(), raw, tmp_path / out, options, progress=False)


def all_files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def dialogues(benchmark):
    return {t.transaction_id: t for split in SPLITS for t in benchmark.transactions(split)}


# The same bytes, whole or not at all


def test_the_same_inputs_and_options_give_the_same_bytes_in_another_process(tmp_path):
    captions = write(tmp_path / "captions.json", {"a0": "a red shoe", "w": "a boot"})
    write(tmp_path / "pictures" / "deep" / "x.png", b"not looked into")
    made = shoes(tmp_path, captions=captions, images=tmp_path / "pictures")
    command = [
        sys.executable,
        "-c",
        "from mtbench.cli import main; main()",
        "build",
        "shoes",
        "--raw",
        tmp_path / "raw",
        "--out",
        tmp_path / "again",
    ]
    command += ["--dev-share", "0.3", "--image-captions", captions, "--images", tmp_path / "pictures"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, cwd="/")
    assert all_files(tmp_path / "again") == all_files(made.path)
    assert {*all_files(made.path)} == {
        "README.md",
        "benchmark.json",
        "croissant.json",
        "local.json",
        *(f"{kind}/{split}.parquet" for kind in ("images", "transactions") for split in SPLITS),
    }


def test_the_order_of_the_raw_records_matters_to_nothing_but_the_names_of_the_pairs(tmp_path):
    one = shoes(tmp_path)
    other = shoes(tmp_path, RECORDS[::-1], out="reversed")
    assert other.revision == one.revision
    assert all(
        (other.path / f"images/{s}.parquet").read_bytes() == (one.path / f"images/{s}.parquet").read_bytes()
        for s in SPLITS
    )
    # a pair is named by its place in the published file: the one thing that the order decides
    assert dialogues(one)["shoes.eval.0000"].source_pairs == ("shoes.00024", "shoes.00025")
    assert dialogues(other)["shoes.eval.0000"].source_pairs == ("shoes.00002", "shoes.00001")
    unnamed = [{i: replace(t, source_pairs=()) for i, t in dialogues(made).items()} for made in (one, other)]
    assert unnamed[0] == unnamed[1]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("step", ["card", "croissant", "transaction_row"])
def test_a_build_that_is_interrupted_leaves_nothing_and_what_was_there_stays(tmp_path, monkeypatch, error, step):
    made = shoes(tmp_path, out="old")
    before = all_files(tmp_path)

    def fail(*_):
        raise error

    monkeypatch.setattr(f"mtbench.data.write.{step}", fail)
    raw = tmp_path / "raw"
    for out, overwrite in ((tmp_path / "new", False), (made.path, True)):
        with pytest.raises(error):
            build("shoes", Shoes(), raw, out, BuildOptions(split_rule=DEV), overwrite=overwrite, progress=False)
    assert all_files(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "raw"]


# Ids, parts and options


def test_ids_and_turns_do_not_depend_on_the_split_policy(tmp_path):
    official = dialogues(shoes(tmp_path))
    assert dialogues(shoes(tmp_path, out="again", split="edge-target-disjoint")) == official
    assert sorted(official) == ["shoes.eval.0000", *(f"shoes.train.{n:04}" for n in GROUPS)]
    assert official["shoes.train.0002"].images == ("a10", "b10", "c10")  # sorted by name: a0, a1, a10, ...


def test_transactions_are_numbered_and_written_by_category_then_turns_then_images(tmp_path):
    hops = [pair(a, b) for a, b in pairwise("abcd")]
    raw = write_fashioniq(tmp_path / "raw", {("shirt", "train"): hops, ("dress", "train"): hops})
    options = BuildOptions(split_rule=SplitRule(dev_share=0))
    made = build("fashioniq", FashionIQ(), raw, tmp_path / "out", options, progress=False)
    assert [(t.transaction_id, "".join(t.images)) for t in made.transactions("train")] == [
        ("dress.train.0000", "bcd"),
        ("dress.train.0001", "abcd"),
        ("shirt.train.0000", "bcd"),
        ("shirt.train.0001", "abcd"),
    ]


def test_the_manifest_says_how_it_was_built_and_what_was_wrong(tmp_path):
    manifest = shoes(tmp_path, split="edge-target-disjoint", chains="all-paths", rule=Rule(2, 3, "keep")).manifest
    assert manifest["name"] == "shoes-all-paths-edge-target-disjoint"
    assert manifest["chains"] == {
        "policy": "all-paths",
        "min_turns": 2,
        "max_turns": 3,
        "cycles": "keep",
        "same_category": False,
        "self_loops": "drop",
        "pairs": 27,
    }
    assert manifest["split"] == {"policy": "edge-target-disjoint", "dev_share": 0.3, "test_share": 0.15, "seed": 0}
    assert manifest["faults"] == {"self-loop": {"count": 1, "examples": ["shoes.00026"]}}
    pairs = manifest["sources"][0]
    content = (tmp_path / "raw" / pairs["path"]).read_bytes()
    assert pairs["sha256"] == hashlib.sha256(content).hexdigest() and pairs["size"] == len(content)
    assert pairs["as_published"] is False
    assert str(tmp_path) not in json.dumps(manifest)


class Given:
    """A builder whose data is given to it."""

    summary, licence, sources, chains, split, gallery = "given", "mine", (), "all-paths", "official", "split-list"
    official, published, options = {"train": "train", "val": "test"}, (), ()

    def __init__(self, raw):
        self.raw = raw

    def prepare(self, raw, **options):
        return {}

    def read(self, raw, **options):
        return self.raw


class Told(Given):
    """A builder with options of its own."""

    options = (
        Option("column", "a column", multiple=True),
        Option("raw-pairs", "a folder", Path),
        Option("size", "a number", int, default=7),
    )


def test_the_manifest_names_the_options_of_the_builder_but_no_place_on_this_machine(tmp_path, monkeypatch):
    told = Told(
        RawDataset(pairs=[Pair("p0", "a", ("x",), "b", "all", "train"), Pair("p1", "b", ("x",), "c", "all", "train")])
    )
    raw = write(tmp_path / "raw" / "pairs.txt", "").parent
    monkeypatch.chdir(raw)
    for place in (raw, Path(), str(raw), tmp_path / "out" / ".." / "raw"):
        options = BuildOptions(gallery="all-images", extra={"column": ("one", "two"), "raw_pairs": place})
        manifest = build("told", told, raw, tmp_path / "out", options, overwrite=True, progress=False).manifest
        assert manifest["options"] == {"column": ["one", "two"], "raw_pairs": "raw", "size": 7}
        assert str(tmp_path) not in json.dumps(manifest)
    options = BuildOptions(gallery="all-images", extra={"column": "one"})
    manifest = build("told", told, raw, tmp_path / "bare", options, progress=False).manifest
    assert manifest["options"] == {"column": ["one"], "raw_pairs": None, "size": 7}


def test_the_files_directly_in_a_raw_folder_of_no_declared_layout_are_hashed(tmp_path):
    raw = tmp_path / "raw"
    for name in ("b.json", "a.txt", ".hidden", "images/c.png"):
        write(raw / name, name)
    hops = [Pair("p0", "a", ("x",), "b", "all", "train"), Pair("p1", "b", ("x",), "c", "all", "train")]
    options = BuildOptions(gallery="all-images")
    made = build("given", Given(RawDataset(pairs=hops)), raw, tmp_path / "out", options, progress=False)
    assert made.manifest["sources"] == [
        {
            "path": name,
            "sha256": hashlib.sha256((raw / name).read_bytes()).hexdigest(),
            "size": (raw / name).stat().st_size,
        }
        for name in ("a.txt", "b.json")
    ]


def test_published_counts_stand_beside_ours_for_the_same_published_part(tmp_path):
    for split in ("official", "edge-target-disjoint"):
        train, test = shoes(tmp_path, out=split, split=split).manifest["published"]
        assert train["turns"] == {"2": 1659, "3": 1036, "4": 982} and train["ours"] == {"2": 12, "3": 0, "4": 0}
        assert test["ours"] == {"2": 1, "3": 0, "4": 0}
        assert test["difference"] == {"2": 1 - 296, "3": -96, "4": -28}


def test_statistics_are_counts_of_what_was_written(tmp_path):
    made = shoes(tmp_path)
    found = made.manifest["statistics"]["splits"]
    dev = len(made.transactions("dev"))
    assert 0 < dev < 12
    assert found["dev"] == {
        "transactions": dev,
        "images": 48,
        "turns": {"2": dev},
        "by_category": {"shoes": dev},
        "flags": {},
    }
    assert found["train"]["transactions"] == 12 - dev and found["test"]["images"] == 4


def test_pairs_that_cross_between_kinds_can_be_left_out(tmp_path):
    boots, flats = ([f"img_womens_{kind}_{n}.jpg" for n in range(3)] for kind in ("boots", "flats"))
    hops = [(boots[0], boots[1]), (boots[1], boots[2]), (flats[0], flats[1]), (flats[1], boots[2])]
    raw = write_shoes(tmp_path / "raw", [shoe(*hop) for hop in hops], train=[*boots, *flats], evaluation=[])
    options = BuildOptions(same_category=True, chains="all-paths", split_rule=SplitRule(dev_share=0))
    made = build("shoes", Shoes(), raw, tmp_path / "out", options, progress=False)
    assert [t.images for t in made.transactions("train")] == [tuple(boots)]
    assert made.manifest["faults"] == {"crosses-category": {"count": 1, "examples": ["shoes.00003"]}}
    assert {i.image_id: i.category for i in made.images.values()} == dict.fromkeys([*boots, *flats], "shoes")


def test_released_sessions_of_other_lengths_are_left_out_and_counted(tmp_path):
    sessions = {("dress", "train"): [session("a", "b", to="c"), session("d", "e", "f", to="g")]}
    raw = write_multiturn(tmp_path / "raw", sessions)
    options = BuildOptions(rule=Rule(max_turns=2), split_rule=SplitRule(dev_share=0))
    made = build("multiturn-fashioniq", MultiturnFashionIQ(), raw, tmp_path / "out", options, progress=False)
    assert [*dialogues(made)] == ["dress.train.0000"]
    assert made.manifest["faults"]["other-turns"] == {"count": 1, "examples": ["dress.train.0001"]}


def test_released_sessions_refuse_what_only_chains_can_be_told_and_record_none_of_it(tmp_path):
    raw = write_multiturn(tmp_path / "raw", {("dress", "train"): [session("a", "b", to="c")]})

    def made(**options):
        options = BuildOptions(split_rule=SplitRule(dev_share=0), **options)
        return build("multiturn-fashioniq", MultiturnFashionIQ(), raw, tmp_path / "out", options, progress=False)

    told = {
        "--cycles does": {"rule": Rule(cycles="keep")},
        "--same-category does": {"same_category": True},
        "--self-loops does": {"self_loops": "refuse"},
        "--cycles and --self-loops do": {"rule": Rule(cycles="drop"), "self_loops": "refuse"},
    }
    for words, options in told.items():
        with pytest.raises(MtbenchError, match=f"this data comes as finished sessions: {words} not apply"):
            made(**options)
    assert not (tmp_path / "out").exists()
    assert made().manifest["chains"] == {"policy": "released", "min_turns": 2, "max_turns": 4}


# Galleries


def members(benchmark):
    return {key: "".join(gallery.image_ids) for key, gallery in benchmark.galleries.items()}


def test_galleries_by_the_three_rules(tmp_path):
    dresses = [pair("a", "b"), pair("b", "c")]
    raw = write_fashioniq(
        tmp_path / "raw",
        {("dress", "train"): dresses, ("dress", "val"): [pair("x", "y"), pair("y", "z")], ("shirt", "train"): dresses},
        lists={("dress", "train"): "abcd", ("dress", "val"): "wxyz", ("shirt", "train"): "abce", ("shirt", "val"): "v"},
    )
    wanted = {
        "split-list": {
            ("train", "dress"): "abcd",
            ("train", "shirt"): "abce",
            ("test", "dress"): "wxyz",
            ("test", "shirt"): "v",
        },
        "session-images": {("train", "dress"): "abc", ("train", "shirt"): "abc", ("test", "dress"): "xyz"},
        "all-images": {
            (split, category): images
            for split in SPLITS
            for category, images in (("dress", "abcdwxyz"), ("shirt", "abcev"))
        },
    }
    for rule, galleries in wanted.items():
        options = BuildOptions(gallery=rule, split_rule=SplitRule(dev_share=0))
        made = build("fashioniq", FashionIQ(), raw, tmp_path / rule, options, progress=False)
        assert members(made) == galleries, rule
        assert made.protocol.gallery == rule
        declared = {(g["split"], g["category"]): (g["images"], g["sha256"]) for g in made.manifest["galleries"]}
        assert declared == {
            key: (len(images), hashlib.sha256("\n".join(images).encode()).hexdigest())
            for key, images in galleries.items()
        }


def test_a_re_split_declares_all_images_unless_told_otherwise(tmp_path):
    made = shoes(tmp_path, split="edge-target-disjoint")
    assert made.protocol.gallery == "all-images"
    assert {len(gallery) for gallery in made.galleries.values()} == {48 + 4}


def test_an_image_that_is_shown_but_no_candidate_has_a_row_all_the_same(tmp_path):
    made = build_pairs_of(tmp_path, [("a", "b"), ("b", "c")], lists={("train", "all"): ["b", "c", "d"]})
    rows = pq.read_table(made.path / "images" / "train.parquet").to_pylist()
    assert [(row["image_id"], row["gallery"]) for row in rows] == [("a", False), *((i, True) for i in "bcd")]


def test_a_target_outside_its_gallery_is_refused(tmp_path):
    with pytest.raises(
        MtbenchError, match=r"all\.train\.0000: its target c is no candidate\nChoose --gallery all-images"
    ):
        build_pairs_of(tmp_path, [("a", "b"), ("b", "c")], lists={("train", "all"): ["a", "b"]})
    assert not (tmp_path / "out").exists()


def build_pairs_of(tmp_path, hops, *, lists=None, split_of=None, **options):
    pairs = [Pair(f"p{n}", a, ("x",), b, "all", (split_of or {}).get((a, b), "train")) for n, (a, b) in enumerate(hops)]
    options = BuildOptions(**{"split_rule": SplitRule(dev_share=0), **options})
    raw = RawDataset(pairs=pairs, image_lists=lists or {})
    return build("given", Given(raw), tmp_path, tmp_path / "out", options, overwrite=True, progress=False)


hop = st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))


@given(
    hops=st.lists(hop, min_size=4, max_size=14, unique=True),
    rule=st.sampled_from(["session-images", "all-images"]),
    split=st.sampled_from(["official", "edge-target-disjoint"]),
    data=st.data(),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_target_is_a_candidate_and_every_shown_image_has_a_row(tmp_path, hops, rule, split, data):
    split_of = {h: data.draw(st.sampled_from(["train", "val"])) for h in hops}
    rules = SplitRule(dev_share=0.3, test_share=0.3)
    try:
        made = build_pairs_of(tmp_path, hops, split_of=split_of, gallery=rule, split=split, split_rule=rules)
    except MtbenchError as error:
        assert "makes no transaction" in str(error)
        return
    for part in SPLITS:
        for transaction in made.transactions(part):
            assert transaction.target in made.gallery(part, "all").image_ids
            assert {*transaction.images} <= {*made.images}


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)


@given(images=st.lists(names, min_size=3, max_size=5, unique=True), said=names)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_images_are_called_they_are_read_back(tmp_path, images, said):
    pairs = [Pair(f"{said}{n}", a, (said,), b, said, "train") for n, (a, b) in enumerate(pairwise(images))]
    options = BuildOptions(gallery="all-images", split_rule=SplitRule(dev_share=0), rule=Rule(2, 4), name=said)
    raw = RawDataset(pairs=pairs, subcategories={images[0]: said}, notes=[said])
    made = build("given", Given(raw), tmp_path, tmp_path / "out", options, overwrite=True, progress=False)
    assert {*made.images} == {*images} == {*made.gallery("train", said).image_ids}
    wanted = {tuple(images[i : i + n + 1]) for n in (2, 3, 4) for i in range(len(images) - n)}
    assert {t.images for t in made.transactions("train")} == wanted
    assert {turn.feedback for t in made.transactions("train") for turn in t.turns} == {(said,)}


# Revision and tampering


def test_the_revision_follows_what_is_scored_and_nothing_else(tmp_path):
    base = shoes(tmp_path)
    write(tmp_path / "pictures" / "x.png", b"")
    captions = write(tmp_path / "captions.json", {"x": "a boot"})
    same = shoes(tmp_path, out="same", captions=captions, images=tmp_path / "pictures", name="other")
    assert same.revision == base.revision and same.name == "other"
    said = [shoe("x", "y", "has a bow"), *(r for r in RECORDS if r["ReferenceImageName"] != "x")]
    others = [
        shoes(tmp_path, said, out="feedback"),
        shoes(tmp_path, [r for r in RECORDS if r["ReferenceImageName"] != "b3"], out="fewer"),
        shoes(tmp_path, out="gallery", gallery="all-images"),
        shoes(tmp_path, out="split", split="edge-target-disjoint", gallery="all-images"),
    ]
    assert len({base.revision, *(made.revision for made in others)}) == 5


def test_the_revision_covers_every_choice_of_the_protocol(tmp_path):
    made = shoes(tmp_path)
    parts = {split: made.transactions(split) for split in SPLITS}
    galleries = list(made.galleries.values())
    assert revision(parts, galleries[::-1], made.protocol) == made.revision
    changes = {"gallery", "own_references", "joiner", "turn_targets", "averaging", "ties"}
    assert changes == {*made.manifest["protocol"]}
    others = [SimpleNamespace(**{**vars(made.protocol), name: "other"}) for name in changes]  # not all can be chosen
    found = {revision(parts, galleries, other) for other in others}
    assert len({made.revision, *found}) == 7
    fewer = replace(galleries[0], image_ids=galleries[0].image_ids[1:])
    assert revision(parts, [fewer, *galleries[1:]], made.protocol) != made.revision
    assert revision({**parts, "dev": parts["train"], "train": parts["dev"]}, galleries, made.protocol) != made.revision


def rewrite(path, change):
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


TAMPERED = {
    "a caption of a turn": ("transactions/test", lambda rows: rows[0]["turns"][0].update(feedback=["is zebra"])),
    "a target": ("transactions/test", lambda rows: rows[0]["turns"][-1].update(target="w")),
    "an id": ("transactions/train", lambda rows: rows[0].update(transaction_id="shoes.train.9999")),
    "a lost transaction": ("transactions/train", lambda rows: rows.pop()),
    "the order": ("transactions/train", lambda rows: rows.reverse()),
    "a smaller gallery": ("images/test", lambda rows: rows[0].update(gallery=False)),
    "another candidate": ("images/test", lambda rows: rows[0].update(image_id="v")),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_changed_table_is_refused(tmp_path, what):
    path = shoes(tmp_path).path
    table, change = TAMPERED[what]
    rewrite(path / f"{table}.parquet", change)
    with pytest.raises(MtbenchError, match=r"a file was changed after the build\. Build it again"):
        load(path)
    assert Benchmark(path, verify=False).name == "shoes"


def test_what_is_not_scored_may_change(tmp_path):
    path = shoes(tmp_path).path
    rewrite(path / "images/test.parquet", lambda rows: rows[0].update(caption="a boot"))
    rewrite(path / "transactions/test.parquet", lambda rows: rows[0].update(flags=["odd"]))
    assert load(path).images["w"].caption == "a boot"


BROKEN_FOLDERS = {
    "no manifest": ("benchmark.json", None, "is no benchmark: it has no benchmark.json"),
    "a manifest cut short": ("benchmark.json", '{"name": "x"', "is not a benchmark manifest"),
    "a manifest of another kind": ("benchmark.json", "[]", "is not a benchmark manifest"),
    "an unknown protocol": (
        "benchmark.json",
        '{"schema_version": 1, "name": "x", "revision": "y", "protocol": {"a": 1}}',
        "is not a benchmark manifest",
    ),
    "a later schema": (
        "benchmark.json",
        '{"schema_version": 2, "name": "x", "revision": "y", "protocol": {}}',
        "has schema version 2; this mtbench reads 1",
    ),
    "a table that is gone": ("images/dev.parquet", None, r"images/dev\.parquet is missing"),
    "a table that is no Parquet": ("images/dev.parquet", "PAR1", "is not readable Parquet"),
    "an empty table file": ("transactions/dev.parquet", "", "is not readable Parquet"),
}


@pytest.mark.parametrize("what", BROKEN_FOLDERS)
def test_a_broken_folder_is_refused(tmp_path, what):
    path = shoes(tmp_path).path
    name, content, message = BROKEN_FOLDERS[what]
    (path / name).unlink()
    if content is not None:
        write(path / name, content)
    with pytest.raises(MtbenchError, match=message):
        load(path)


@pytest.mark.parametrize("kinds", [("images", "transactions"), ("transactions", "images")])
def test_a_table_in_the_place_of_another_is_refused(tmp_path, kinds):
    path = shoes(tmp_path).path
    (path / kinds[0] / "test.parquet").write_bytes((path / kinds[1] / "test.parquet").read_bytes())
    with pytest.raises(MtbenchError, match=r"test\.parquet has no"):
        load(path)


def test_unknown_splits_and_categories_are_answered_with_those_there_are(tmp_path):
    made = shoes(tmp_path)
    with pytest.raises(MtbenchError, match=r"no split named 'tset'\. Did you mean 'test'"):
        made.transactions("tset")
    with pytest.raises(MtbenchError, match=r"no category of shoes named 'shoe'\. Did you mean 'shoes'"):
        made.gallery("test", "shoe")


# Read back


def test_datasets_reads_both_tables_from_the_folder(tmp_path):
    made = shoes(tmp_path, captions=write(tmp_path / "captions.json", {"x": "a boot"}))
    cache = str(tmp_path / "cache")
    transactions = datasets.load_dataset(str(made.path), "transactions", cache_dir=cache)
    assert {split: transactions[split]["transaction_id"][:] for split in SPLITS} == {
        split: [t.transaction_id for t in made.transactions(split)] for split in SPLITS
    }
    assert transactions["test"][0] == {
        "transaction_id": "shoes.eval.0000", "category": "shoes", "n_turns": 2, "target": "z",
        "turns": [
            {"reference": "x", "feedback": ["more like y"], "target": "y"},
            {"reference": "y", "feedback": ["more like z"], "target": "z"},
        ],
        "source_pairs": ["shoes.00024", "shoes.00025"], "flags": [],
    }  # fmt: skip
    images = datasets.load_dataset(str(made.path), "images", cache_dir=cache)
    assert images["test"]["image_id"][:] == ["w", "x", "y", "z"]
    assert images["test"]["caption"][:] == [None, "a boot", None, None]


def test_datasets_reads_a_folder_whose_dev_part_is_empty(tmp_path):
    raw = write_shoes(tmp_path / "raw")
    options = BuildOptions(split_rule=SplitRule(dev_share=0))
    made = build("shoes", Shoes(), raw, tmp_path / "out", options, progress=False)
    for kind in ("transactions", "images"):
        found = datasets.load_dataset(str(made.path), kind, cache_dir=str(tmp_path / "cache"))
        assert sorted(found) == ["test", "train"]


# What stands for the images


def test_image_files_are_found_at_any_depth_and_hashed(tmp_path):
    pictures = tmp_path / "pictures"
    write(pictures / "x.jpg", b"boot")
    write(pictures / "deep" / "er" / "y.PNG", b"flat")
    write(pictures / "deep" / "other.png", b"not of this data")
    write(pictures / "z.txt", b"no image")
    write(pictures / "a0.jpg" / "readme", b"a folder named like an image")
    (pictures / "w.png").symlink_to(pictures / "gone.png")
    made = shoes(tmp_path, images=pictures)
    files = {i: (image.path, image.sha256) for i, image in made.images.items() if image.path}
    assert files == {
        "x": ("x.jpg", hashlib.sha256(b"boot").hexdigest()),
        "y": ("deep/er/y.PNG", hashlib.sha256(b"flat").hexdigest()),
    }
    present = {r["image_id"]: r["present"] for r in pq.read_table(made.path / "images/test.parquet").to_pylist()}
    assert present == {"w": False, "x": True, "y": True, "z": False}
    assert made.manifest["proxies"]["image"]["coverage"] == round(2 / 52, 4)
    assert made.image_folder == pictures.resolve()
    assert (made.image_folder / made.images["y"].path).read_bytes() == b"flat"


def test_images_may_be_named_with_their_suffix(tmp_path):
    write(tmp_path / "pictures" / "sub" / "x.jpg", b"boot")
    raw = write_shoes(
        tmp_path / "raw",
        [shoe("x.jpg", "y.jpg"), shoe("y.jpg", "z.jpg")],
        train=[],
        evaluation=["x.jpg", "y.jpg", "z.jpg"],
    )
    options = BuildOptions(images=tmp_path / "pictures")
    made = build("shoes", Shoes(), raw, tmp_path / "out", options, progress=False)
    assert made.images["x.jpg"].path == "sub/x.jpg"


def test_images_may_be_named_by_their_path_below_the_folder(tmp_path):
    for name in ("x/1.jpg", "x/2.jpg", "y/1.jpg"):
        write(tmp_path / "pictures" / name, name.encode())
    hops = [("x/1.jpg", "y/1.jpg"), ("y/1.jpg", "x/2")]
    made = build_pairs_of(tmp_path, hops, gallery="all-images", images=tmp_path / "pictures")
    found = {name: image.path for name, image in made.images.items()}
    assert found == {"x/1.jpg": "x/1.jpg", "y/1.jpg": "y/1.jpg", "x/2": "x/2.jpg"}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"images": 7}'])
def test_a_damaged_local_json_is_named(tmp_path, content):
    made = shoes(tmp_path)
    write(made.path / "local.json", content)
    with pytest.raises(MtbenchError, match=r"local\.json names no image folder"):
        _ = made.image_folder


def test_the_image_folder_is_found_through_symbolic_links_and_relative_paths(tmp_path, monkeypatch):
    write(tmp_path / "far" / "pictures" / "x.jpg", b"boot")
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    monkeypatch.chdir(tmp_path)
    made = shoes(Path(), images=Path("far/pictures"), out="link/out")
    assert made.image_folder == tmp_path / "far" / "pictures"
    assert json.loads((made.path / "local.json").read_text()) == {"images": "../../../far/pictures"}


def test_without_images_there_is_no_image_folder(tmp_path):
    made = shoes(tmp_path)
    assert made.image_folder is None and not (made.path / "local.json").exists()


def test_captions_come_from_one_file_or_from_a_folder_merged_in_sorted_order(tmp_path):
    write(tmp_path / "captions" / "b.json", {"x": "second", "y": " a flat "})
    write(tmp_path / "captions" / "a.json", {"x": "first", "nowhere": "of another data set"})
    made = shoes(tmp_path, captions=tmp_path / "captions")
    assert {i: image.caption for i, image in made.images.items() if image.caption} == {"x": "first", "y": "a flat"}
    assert made.manifest["sources"][-1]["role"] == "captions"
    assert made.manifest["proxies"]["caption"]["coverage"] == round(2 / 52, 4)


def test_what_a_history_shows_is_joined_as_the_protocol_says(tmp_path):
    raw = write_fashioniq(tmp_path / "raw", {("dress", "val"): [pair("a", "b", ["is red", "is long"]), pair("b", "c")]})
    made = build("fashioniq", FashionIQ(), raw, tmp_path / "out", progress=False)
    history = made.histories("test")[0]
    assert history.references == ("a", "b")
    assert history.feedback == ("is red and is long", "is c and more like c")
