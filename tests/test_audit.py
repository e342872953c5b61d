"""The audit as a user types it: flags, clean subsets, pre-training, near-duplicates, the picture.

One benchmark of dresses, its leaks known by hand::

    train   a --> b --> c      k --> l --> m
    dev     t --> u --> m                        final target, image (m is in train)
    test    g --> h --> i                        nothing
            p --> a --> q                        image
            r --> s --> l                        final target, image
            v --> t --> u                        edge, last edge, final target, image (all in dev)
            x --> b --> c                        edge, last edge, final target, image (all in train)
"""

from __future__ import annotations

import io
import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import pair, session, write, write_fashioniq, write_multiturn, write_shoes
from letters import build_letters
from PIL import Image
from test_cli import PAIRS, printed, refused, type_in

from mtbench.chains.leakage import KINDS
from mtbench.core.errors import MtbenchError
from mtbench.core.files import json_sha256
from mtbench.core.types import Image as Shown
from mtbench.core.types import Transaction, Turn
from mtbench.data import near_duplicates as near
from mtbench.data.benchmark import Benchmark, load
from mtbench.evaluation.leak_picture import apart, draw_leaks, names_of, results_of
from mtbench.evaluation.pictures import new_figure, picture_bytes, style
from mtbench.features.perceptual import BITS, perceptual_hashes

CHAINS = {"train": ["abc", "klm"], "dev": ["tum"], "test": ["ghi", "paq", "rsl", "vtu", "xbc"]}
SEEN = ("leak-edge", "leak-last-edge", "leak-final-target", "leak-image")
FLAGS = {
    "tum": ("leak-final-target", "leak-image"),
    "ghi": (),
    "paq": ("leak-image",),
    "rsl": ("leak-final-target", "leak-image"),
    "vtu": SEEN,
    "xbc": SEEN,
}
COUNTS = {"transactions": 5, "edge": 2, "last_edge": 2, "all_edges": 0, "sub_chain": 0, "final_target": 3, "image": 4}


def table(folder: Path, chains: dict[str, list[str]] = CHAINS, kind: str = "dress") -> Path:
    rows = [f"{kind},{part},{a},{b},is {b}" for part, paths in chains.items() for p in paths for a, b in pairwise(p)]
    return write(folder / "pairs.csv", "\n".join(["kind,part,from,to,wish", *dict.fromkeys(rows)]) + "\n")


def build(out: Path, *words: object, chains: dict[str, list[str]] = CHAINS, kind: str = "dress") -> Benchmark:
    raw = table(out.parent / f"raw-{out.name}", chains, kind)
    printed("build", "pairs", "--raw", raw, "--out", out, *PAIRS, "--split", "official", *words)
    return load(out)


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return build(tmp_path_factory.mktemp("leaky") / "leaky", "--name", "leaky")


def paths(benchmark: Benchmark, split: str) -> list[str]:
    return ["".join(t.images) for t in benchmark.transactions(split)]


# Flags


def test_every_held_out_transaction_carries_its_leaks_as_flags(leaky: Benchmark) -> None:
    found = {"".join(t.images): t.flags for split in ("dev", "test") for t in leaky.transactions(split)}
    assert found == FLAGS
    assert [t.flags for t in leaky.transactions("train")] == [(), ()]
    assert leaky.manifest["statistics"]["splits"]["test"]["flags"] == {
        **{"leak-edge": 2, "leak-final-target": 3, "leak-image": 4, "leak-last-edge": 2}
    }


def test_the_leaks_of_a_split_are_one_call_away(leaky: Benchmark) -> None:
    for split in ("dev", "test"):
        for t, leaks in zip(leaky.transactions(split), leaky.leaks(split), strict=True):
            assert [f"leak-{kind.replace('_', '-')}" for kind in KINDS if leaks[kind]] == [*t.flags]
    with pytest.raises(MtbenchError, match=r"no held-out split named 'train'\. Known: dev, test"):
        leaky.leaks("train")


# Clean subsets


@pytest.mark.parametrize(
    ("kind", "kept", "dev"),
    [
        ("edge", ["ghi", "paq", "rsl"], ["tum"]),
        ("last-edge", ["ghi", "paq", "rsl"], ["tum"]),
        ("last_edge", ["ghi", "paq", "rsl"], ["tum"]),
        ("all-edges", ["ghi", "paq", "rsl", "vtu", "xbc"], ["tum"]),
        ("sub-chain", ["ghi", "paq", "rsl", "vtu", "xbc"], ["tum"]),
        ("final-target", ["ghi", "paq"], []),
        ("image", ["ghi"], []),
    ],
)
def test_a_clean_subset_keeps_what_has_no_such_leak(
    leaky: Benchmark, tmp_path: Path, kind: str, kept: list[str], dev: list[str]
) -> None:
    made = build(tmp_path / "out", "--clean", kind)
    rule = f"clean-{kind.replace('_', '-')}"
    assert made.name == f"pairs-official-{rule}"
    assert (paths(made, "test"), paths(made, "dev"), paths(made, "train")) == (kept, dev, ["abc", "klm"])
    assert [t.flags for t in made.transactions("test")] == [FLAGS[path] for path in kept]
    assert made.manifest["left_out"] == {rule: {"test": 5 - len(kept), "dev": 1 - len(dev)}}
    assert made.manifest["audit"]["test"][kind.replace("-", "_")] == 0
    assert made.protocol == leaky.protocol
    assert made.galleries == leaky.galleries  # ranked against the same candidates
    report = printed("stats", tmp_path / "out")
    assert f"left out by {rule}: {5 - len(kept)} of test and {1 - len(dev)} of dev" in report
    card = (tmp_path / "out" / "README.md").read_text()
    assert re.search(rf"\| {rule} +\| test +\| {5 - len(kept)} +\|", card)


def test_several_kinds_are_left_out_together_and_named_in_one_order(tmp_path: Path) -> None:
    made = build(tmp_path / "out", "--clean", "final-target", "--clean", "edge", "--clean", "edge")
    assert made.name == "pairs-official-clean-edge-final-target"
    assert paths(made, "test") == ["ghi", "paq"]
    named = build(tmp_path / "named", "--clean", "edge", "--name", "mine")
    assert named.name == "mine" and named.manifest["left_out"] == {"clean-edge": {"test": 2, "dev": 0}}


def test_the_flags_of_a_clean_subset_are_those_within_it(tmp_path: Path) -> None:
    # y was seen in dev alone, and this dev transaction goes: a, its final target, is in train
    chains = {"train": ["abc"], "dev": ["xya", "def"], "test": ["pyq", "rcs"]}
    whole, made = (
        build(tmp_path / str(len(words)), *words, chains=chains) for words in ([], ["--clean", "final-target"])
    )
    assert [t.flags for t in whole.transactions("test")] == [("leak-image",), ("leak-image",)]
    assert paths(made, "dev") == ["def"] and paths(made, "test") == ["pyq", "rcs"]
    assert [t.flags for t in made.transactions("test")] == [(), ("leak-image",)]
    assert made.manifest["audit"]["test"]["image"] == 1
    assert made.manifest["left_out"] == {"clean-final-target": {"test": 0, "dev": 1}}


def test_what_is_clean_already_stays_whole_and_only_its_name_differs(tmp_path: Path) -> None:
    chains = {"train": ["abc"], "dev": ["def"], "test": ["ghi"]}
    whole, made = build(tmp_path / "one", chains=chains), build(tmp_path / "two", "--clean", "image", chains=chains)
    assert whole.revision == made.revision and whole.manifest["left_out"] == {}
    empty = build(tmp_path / "empty", "--clean", "edge", "--dev-share", "0", chains={"train": ["abc"]})
    assert empty.manifest["left_out"] == {"clean-edge": {"test": 0, "dev": 0}}  # nothing was there to be lost


def test_a_clean_subset_of_session_images_keeps_the_galleries_of_the_whole(tmp_path: Path) -> None:
    whole = build(tmp_path / "one", "--gallery", "session-images")
    made = build(tmp_path / "two", "--gallery", "session-images", "--clean", "image")
    assert made.galleries == whole.galleries and len(made.gallery("test", "dress")) == 15


def test_wrong_kinds_and_subsets_without_a_test_part_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    raw = table(tmp_path, {"train": ["abc"], "test": ["xbc"]})
    words = ["build", "pairs", "--raw", raw, "--out", tmp_path / "out", *PAIRS, "--split", "official"]
    message = refused(*words, "--clean", "edges")
    assert "no kind of leak named 'edges'. Did you mean 'edge'? Known: all-edges, edge, final-target, image" in message
    message = refused(*words, "--dev-share", "0", "--clean", "last-edge")
    assert "--clean last-edge leaves none of the 1 test transactions: each of them has that leak" in message
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.csv"]


def test_the_strict_split_says_what_it_left_out_of_training(tmp_path: Path) -> None:
    # forty lone dialogues, and forty that pass by a final target of one of those
    # (in two published splits, across which nothing is chained)
    chains = [("train", f"a{n}", f"b{n}", f"c{n}") for n in range(40)]
    chains += [("test", f"d{n}", f"c{n}", f"e{n}") for n in range(40)]
    rows = [f"dress,{part},{a},{b},is {b}" for part, *images in chains for a, b in pairwise(images)]
    raw = write(tmp_path / "pairs.csv", "\n".join(["kind,part,from,to,wish", *rows]) + "\n")
    shares = ["--test-share", "0.3", "--dev-share", "0.2"]
    words = ["build", "pairs", "--raw", raw, *PAIRS, *shares, "--chains", "maximal"]
    report = printed(*words, "--out", tmp_path / "strict", "--split", "edge-target-strict")
    printed(*words, "--out", tmp_path / "disjoint", "--split", "edge-target-disjoint")
    strict, disjoint = load(tmp_path / "strict"), load(tmp_path / "disjoint")
    assert strict.name == "pairs-maximal-edge-target-strict"
    left_out = {
        split: len(disjoint.transactions(split)) - len(strict.transactions(split)) for split in ("train", "dev")
    }
    assert strict.manifest["left_out"] == {"edge-target-strict": left_out} and left_out["train"] > 0
    assert f"left out by edge-target-strict: {left_out['train']} of train and {left_out['dev']} of dev" in report
    assert strict.manifest["audit"]["test"]["final_target"] == strict.manifest["audit"]["dev"]["final_target"] == 0
    assert disjoint.manifest["audit"]["test"]["final_target"] > 0
    assert strict.transactions("test") and strict.protocol.gallery == "all-images"


# The table


def test_the_table_gives_counts_and_shares_per_split_and_leaves_out_rows_that_would_repeat_them(
    leaky: Benchmark,
) -> None:
    lines = printed("audit", leaky.path).splitlines()
    assert re.fullmatch(r"test +5 +2 +2 +0 +0 +3 +4", lines[2])
    assert re.fullmatch(r"  share +40\.0% +40\.0% +0\.0% +0\.0% +60\.0% +80\.0%", lines[3])
    assert lines[4] == "" and re.fullmatch(r"dev +1 +0 +0 +0 +0 +1 +1", lines[5])  # one length, one category
    assert "test against train and dev; dev against train." in lines
    assert all(line == line.rstrip() for line in lines)


def test_the_table_has_a_row_for_each_length_and_category_where_there_are_several(tmp_path: Path) -> None:
    text = printed("audit", build_letters(tmp_path).path)
    assert re.findall(r"^  (\S.*?)  +\d", text, re.MULTILINE) == [
        *("share", "2 turns", "3 turns", "dress", "shirt"),
        *("share", "dress", "shirt"),
    ]


def test_another_benchmark_in_which_nothing_is_named_alike_is_warned_about(
    leaky: Benchmark, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hats = build(tmp_path / "hats", "--name", "hats", kind="hat")
    assert "test against hats" in printed("audit", leaky.path, "--against", hats.path)
    assert "hats has no category of leaky (dress; there: hat)" in caplog.text and "0 says nothing" in caplog.text
    caplog.clear()
    others = build(tmp_path / "others", "--name", "others", chains={"train": ["123"], "test": ["456"]})
    printed("audit", leaky.path, "--against", others.path)
    assert "no image of others has the name of one of leaky" in caplog.text
    caplog.clear()
    printed("audit", leaky.path, "--against", leaky.path)
    assert not caplog.records


# Pre-training


def counts(found: dict[str, object]) -> dict[str, object]:
    return {name: found[name] for name in COUNTS}


def test_the_training_pairs_of_raw_files_are_a_pre_training_set(leaky: Benchmark, tmp_path: Path) -> None:
    raw = write_fashioniq(
        tmp_path / "raw",
        {
            ("dress", "train"): [pair("b", "c"), pair("z", "h")],
            ("dress", "val"): [pair("g", "i"), pair("h", "i")],  # not trained on
            ("shirt", "train"): [pair("p", "a")],  # another category
        },
    )
    spec = f"fashioniq={raw}"
    found = json.loads(printed("audit", leaky.path, "--json", "--pretraining", spec))
    assert counts(found["splits"]["test"]) == COUNTS  # the contract is as it was
    assert [*found["pretraining"]] == [spec] and found["pretraining"][spec]["transactions"] == 3
    splits = found["pretraining"][spec]["splits"]
    assert [*splits] == ["test", "dev"]
    # x b c ends in the pair b -> c; of g h i only h was shown
    assert counts(splits["test"]) == {**COUNTS, **dict.fromkeys(KINDS, 0)} | {
        "edge": 1,
        "last_edge": 1,
        "final_target": 1,
        "image": 2,
    }
    assert splits["test"]["by_turns"]["2"]["last_edge"] == splits["test"]["by_category"]["dress"]["last_edge"] == 1
    text = printed("audit", leaky.path, "--pretraining", spec)
    assert re.search(rf"^pre-training, {re.escape(spec)}: 3 transactions$", text, re.MULTILINE)
    assert len(re.findall(r"^test +5 ", text, re.MULTILINE)) == 2


def test_released_sessions_and_the_train_part_of_a_benchmark_are_pre_training_sets(
    leaky: Benchmark, tmp_path: Path
) -> None:
    raw = write_multiturn(
        tmp_path / "raw",
        {("dress", "train"): [session("x", "b", to="c")], ("dress", "val"): [session("g", "h", to="i")]},
    )
    specs = [f"multiturn-fashioniq={raw}", str(leaky.path)]
    words = [word for spec in specs for word in ("--pretraining", spec)]
    found = json.loads(printed("audit", leaky.path, "--json", *words))["pretraining"]
    sessions, own = (found[spec] for spec in specs)
    assert sessions["transactions"] == 1 and own["transactions"] == 2
    assert [sessions["splits"]["test"][kind] for kind in KINDS] == [1, 1, 1, 1, 1, 1]  # x b c itself
    # against train alone, v t u shows nothing
    assert [own["splits"]["test"][kind] for kind in KINDS] == [1, 1, 0, 0, 2, 3]


def test_wrong_pre_training_sets_are_refused(leaky: Benchmark, tmp_path: Path) -> None:
    for spec, message in {
        "fashionic=raw": "no builder named 'fashionic'. Did you mean 'fashioniq'?",
        f"fashioniq={tmp_path}/absent": "absent does not exist: give the raw files of fashioniq as fashioniq=FOLDER",
        f"fashioniq={tmp_path}": "cap.dress.train.json",
        f"pairs={tmp_path}": "the builder 'pairs' needs --reference, --target, --feedback",
        str(tmp_path): "neither the folder of a benchmark nor BUILDER=RAW, such as fashioniq=raw/fashioniq",
        "absent": "neither the folder of a benchmark nor BUILDER=RAW",
        "fashioniq=": "neither the folder of a benchmark nor BUILDER=RAW",
    }.items():
        assert message in refused("audit", leaky.path, "--pretraining", spec)
    write(tmp_path / "broken" / "benchmark.json", "{")
    assert "is not a benchmark manifest" in refused("audit", leaky.path, "--pretraining", tmp_path / "broken")
    shoes = write_shoes(tmp_path / "shoes", [], train=["a"], evaluation=["x"])
    assert "finds no training pair" in refused("audit", leaky.path, "--pretraining", f"shoes={shoes}")


def test_a_pre_training_set_of_other_categories_is_warned_about(
    leaky: Benchmark, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = f"shoes={write_shoes(tmp_path / 'shoes')}"
    printed("audit", leaky.path, "--pretraining", spec)
    assert "has no category of leaky (dress; there: shoes)" in caplog.text


# Near-duplicates


def picture(seed: int) -> Image.Image:
    """A mosaic of colours: no two seeds look alike."""
    stones = np.random.default_rng(seed).integers(0, 256, (18, 18, 3), dtype=np.uint8)
    return Image.fromarray(stones).resize((180, 144), Image.Resampling.NEAREST)


def as_jpeg(original: Image.Image) -> bytes:
    stream = io.BytesIO()
    original.resize((90, 72)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """i and p are copies of c and l, smaller and saved as JPEG; u, of dev, is one of a, and y is in no transaction."""
    folder = tmp_path_factory.mktemp("pictured")
    letters = sorted({image for chains in CHAINS.values() for path in chains for image in path})
    for letter in letters:
        stream = io.BytesIO()
        picture(ord(letter)).save(stream, "PNG")
        write(folder / "images" / f"{letter}.png", stream.getvalue())
    for copy, original in {"i": "c", "p": "l", "u": "a"}.items():
        (folder / "images" / f"{copy}.png").unlink()
        write(folder / "images" / f"{copy}.jpg", as_jpeg(picture(ord(original))))
    return build(folder / "pictured", "--images", folder / "images")


def test_near_duplicates_are_found_in_pixels_and_named(pictured: Benchmark) -> None:
    found = json.loads(printed("audit", pictured.path, "--near-duplicates", "--json"))["near_duplicates"]
    assert (found["distance"], found["bits"], found["images"], found["without_file"]) == (5, 298, 17, 0)
    test, dev = found["splits"]["test"], found["splits"]["dev"]
    # test: g h i ends in a copy of c, p a q shows one of l and a, whose copy u dev shows; v t u ends in u, a copy of a
    assert (test["transactions"], test["final_target"], test["image"]) == (5, 2, 5 - 1 - 1)
    assert (dev["transactions"], dev["final_target"], dev["image"]) == (1, 0, 1)
    assert {(e["image"], e["known"]) for e in test["examples"]} == {("i", "c"), ("p", "l"), ("a", "u"), ("u", "a")}
    assert [(e["image"], e["known"], e["category"]) for e in dev["examples"]] == [("u", "a", "dress")]
    text = printed("audit", pictured.path, "--near-duplicates")
    assert "near-duplicates: 17 images compared, near if 5 or fewer of 298 bits apart" in text
    assert re.search(r"^test, dress: i is like c \(\d bits\)$", text, re.MULTILINE)
    exact = json.loads(printed("audit", pictured.path, "--near-duplicates", "--distance", "298", "--json"))
    assert exact["near_duplicates"]["splits"]["test"]["image"] == 5
    assert {*pictured.path.iterdir()} == {
        pictured.path / name
        for name in ("README.md", "benchmark.json", "croissant.json", "images", "local.json", "transactions")
    }


def test_near_duplicates_need_files_a_package_and_a_possible_distance(
    leaky: Benchmark, pictured: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "has no image files, and near-duplicates are found in pixels: build it again with --images" in refused(
        "audit", leaky.path, "--near-duplicates"
    )
    assert "--distance has no effect alone: add --near-duplicates" in refused("audit", leaky.path, "--distance", "3")
    for bits in ("-1", "299"):
        message = refused("audit", pictured.path, "--near-duplicates", "--distance", bits)
        assert f"--distance must be 0 to 298 bits, not {bits}" in message
    monkeypatch.setitem(sys.modules, "imagehash", None)
    assert 'pip install "mtbench[report]"' in refused("audit", pictured.path, "--near-duplicates")


def test_a_colour_variant_is_no_near_duplicate(tmp_path: Path) -> None:
    stones = np.random.default_rng(0).random((18, 18, 1)) < 0.5
    for name, colour in {"red": (200, 0, 0), "blue": (0, 40, 255), "again": (200, 0, 0)}.items():
        mosaic = np.where(stones, np.array(colour), 255).astype(np.uint8)
        Image.fromarray(mosaic).resize((180, 144), Image.Resampling.NEAREST).save(tmp_path / f"{name}.png")
    images = [Shown(name, "dress", path=f"{name}.png") for name in ("red", "blue", "again")]
    found = perceptual_hashes(images, tmp_path)
    assert not (found["red"] != found["again"]).any() and len(found["red"]) == BITS == 298
    apart_by = found["red"] != found["blue"]
    assert (apart_by[:256].sum(), apart_by.sum()) == (0, 6) and near.DISTANCE == 5  # the structure is the same


def test_an_image_that_cannot_be_read_is_named(pictured: Benchmark) -> None:
    file = pictured.image_folder / "g.png"
    content = file.read_bytes()
    try:
        file.write_bytes(content[:50])
        assert re.search(r"g: g\.png cannot be read", refused("audit", pictured.path, "--near-duplicates"))
    finally:
        file.write_bytes(content)


bits = st.lists(st.booleans(), min_size=6, max_size=6).map(np.array)


@given(
    hashes=st.dictionaries(st.sampled_from("abcdefghij"), bits, min_size=1),
    images=st.sets(st.sampled_from("abcdefghij")),
    known=st.sets(st.sampled_from("abcdefghij")),
)
@settings(max_examples=150, deadline=None)
def test_the_nearest_known_image_agrees_with_plain_loops_across_blocks(hashes, images, known) -> None:
    wanted = []
    for image in sorted(images & hashes.keys()):
        others = [(int((hashes[image] != hashes[o]).sum()), o) for o in sorted(known & hashes.keys()) if o != image]
        if others:
            distance, other = min(others)
            wanted.append(near.Twin(distance, "dress", image, other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "ROWS", 2)
        patch.setattr(near, "COLUMNS", 3)
        assert near.nearest(sorted(images), sorted(known), hashes, category="dress") == wanted
    assert near.nearest(sorted(images), sorted(known), hashes, category="dress") == wanted


def test_near_duplicates_stay_within_a_category_and_the_nearest_are_named_first() -> None:
    def dialogue(path: str, category: str = "dress") -> Transaction:
        return Transaction(path, category, tuple(Turn(a, ("x",), b) for a, b in pairwise(path)))

    codes = {"a": 0b0000000, "b": 0b1111111, "c": 0b0000001, "d": 0b0000111, "e": 0b1110000, "f": 0b1111110}
    hashes = {image: np.array([code >> n & 1 for n in range(7)], bool) for image, code in codes.items()}
    parts = {"train": [dialogue("abz")], "dev": [], "test": [dialogue("dec"), dialogue("dcf"), dialogue("cf", "hat")]}
    found = near.near_duplicates(parts, hashes, distance=1)
    # c is 1 from a, f is 1 from b, d is 3 from a; z has no hash
    assert found["test"] == {
        "transactions": 3,
        "final_target": 2,
        "image": 2,
        "examples": [
            {"image": "c", "known": "a", "category": "dress", "distance": 1},
            {"image": "f", "known": "b", "category": "dress", "distance": 1},
        ],
    }
    assert near.near_duplicates(parts, hashes, distance=0)["test"]["image"] == 0
    wide = near.near_duplicates(parts, hashes, distance=3)["test"]["examples"]
    assert [(e["image"], e["distance"]) for e in wide] == [("c", 1), ("f", 1), ("d", 3), ("e", 3)]
    with pytest.raises(MtbenchError, match="must be 0 or more"):
        near.near_duplicates(parts, hashes, distance=-1)


# The picture


def result(benchmark: Benchmark, model: str, share: float, **changes: object) -> None:
    """A result as `mtbench evaluate` leaves it, as far as the picture reads it."""
    key = json_sha256([model, share, str(changes)])
    by_turns = {"2": {"n": 5, "measures": {"R@5": share}}}
    record = {"schema_version": 1, "key": key, "status": "complete", "model": model, "options": {}, "proxy": "caption"}
    record |= {"revision": benchmark.revision, "split": "test", "measures": {"R@5": share}, "by_turns": by_turns}
    write(benchmark.path / "results" / f"{model}-{key[:8]}" / "result.json", {**record, **changes})


def test_only_whole_results_of_this_revision_and_split_are_drawn_the_best_first(tmp_path: Path) -> None:
    made = build(tmp_path / "made")
    assert results_of(made) == []
    result(made, "bm25", 0.2)
    result(made, "lookup", 0.8)
    result(made, "random", 0.9, revision="another")
    result(made, "random", 0.9, split="dev")
    result(made, "random", 0.9, status="limited")
    result(made, "random", 0.9, schema_version=0)
    result(made, "random", 0.9, by_turns={})
    assert [record["model"] for record in results_of(made)] == ["lookup", "bm25"]


def test_the_picture_is_the_same_bytes_each_time_and_says_what_it_shows(tmp_path: Path) -> None:
    made = build(tmp_path / "made", "--name", "made")
    alone = printed("audit", made.path, "--picture", tmp_path / "alone.svg")
    assert f"first run: mtbench evaluate random bm25 lookup --benchmark {made.path}" in alone
    result(made, "bm25", 0.25)
    result(made, "models.py:Mine", 0.5)
    text = printed("audit", made.path, "--picture", tmp_path / "new" / "both.svg")
    assert text.endswith(f"The picture is {tmp_path}/new/both.svg\n")
    said = re.findall(r"<!-- (.*?) -->", (tmp_path / "new" / "both.svg").read_text())
    wanted = [
        "made, revision",
        "Leaks: seen in train and dev",
        "Scores: R@5 on test",
        "2 turns",
        "n = 5",
        "bm25",
        "Mine",
    ]
    wanted += ["last edge", "any edge", "final target", "any image", "40", "60", "80", "hollow: fewer than 100"]
    assert [words for words in wanted if not any(words in line for line in said)] == []
    assert "Scores" not in (tmp_path / "alone.svg").read_text()
    for suffix in (".svg", ".png"):
        files = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
        for file in files:
            assert type_in("audit", made.path, "--json", "--picture", file).exit_code == 0
        assert files[0].read_bytes() == files[1].read_bytes()
        assert not re.search(rb"20\d\d-\d\d|Matplotlib v", files[0].read_bytes())
    with Image.open(tmp_path / "one.png") as drawn:
        assert drawn.size == (1800, 780)


def test_a_picture_that_cannot_be_is_refused_before_any_work(
    leaky: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("leaks.pdf", "leaks"):
        message = refused("audit", leaky.path, "--picture", tmp_path / name)
        assert "a picture is written as .png or .svg, not as" in message
    (tmp_path / "folder.png").mkdir()
    assert "is a folder; give a file name" in refused("audit", leaky.path, "--picture", tmp_path / "folder.png")
    empty = build(tmp_path / "empty", "--dev-share", "0", chains={"train": ["abc"]})
    assert "there is no test transaction" in refused("audit", empty.path, "--picture", tmp_path / "leaks.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert 'pip install "mtbench[report]"' in refused("audit", leaky.path, "--picture", tmp_path / "leaks.png")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(("leaks", "."))]


def test_the_settings_of_a_user_change_no_picture_and_stay_as_they_were() -> None:
    import matplotlib

    def drawn() -> bytes:
        with style():
            figure, (axes,) = new_figure(1)
            axes.plot([1, 2], [3, 4])
            return picture_bytes(figure, ".svg")

    before = drawn()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert drawn() == before
        assert matplotlib.rcParams["font.size"] == 30


def test_more_results_than_colours_are_cut_to_the_best(tmp_path: Path) -> None:
    row = {"transactions": 200, **dict.fromkeys(KINDS, 10)}
    found = {**row, "by_turns": {"2": row, "3": row}}
    results = [
        {
            "model": f"m{n}", "proxy": "none", "key": str(n), "measures": {"R@5": 1 - n / 20},
            "by_turns": {t: {"measures": {"R@5": 1 - n / 20}} for t in ("2", "3")},
        }
        for n in range(10)
    ]  # fmt: skip
    draw_leaks(found, results, tmp_path / "a.svg", title="x", against="train")
    text = (tmp_path / "a.svg").read_text()
    assert "best 8 of 10 results" in text and "<!-- m7 -->" in text and "<!-- m8 -->" not in text
    assert "hollow" not in text


def test_labels_are_moved_apart_around_their_mean_and_off_the_axis() -> None:
    assert apart([10, 30], 4) == [10, 30]
    assert apart([11, 9], 4) == [12, 8]
    assert apart([10, 10, 10, 15], 4) == pytest.approx([5.25, 9.25, 13.25, 17.25])  # all four: the mean is 11.25
    assert apart([0, 0], 4) == [2, 6]
    assert apart([], 4) == []


def test_results_of_one_model_are_told_apart_by_what_differs() -> None:
    def row(model: str, proxy: str = "caption", key: str = "k", **options: object) -> dict[str, object]:
        return {"model": model, "proxy": proxy, "key": key, "options": options}

    assert names_of([row("ewma"), row("models.py:Mine")]) == ["ewma", "Mine"]
    assert names_of([row("ewma"), row("ewma", "image"), row("random", "none")]) == [
        *("ewma (caption)", "ewma (image)", "random")
    ]
    assert names_of([row("ewma", alpha=0.5), row("ewma"), row("avg", beta=1)]) == ["ewma alpha=0.5", "ewma", "avg"]
    assert names_of([row("ewma", key="abcdefgh"), row("ewma", key="12345678")]) == ["ewma abcdef", "ewma 123456"]
