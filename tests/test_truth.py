"""What is known for certain about made data: handed over by a builder, written, read back, and refused if damaged."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders.shoebox import Shoebox
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Pair, Transaction, Turn
from mtbench.data.benchmark import Benchmark, load
from mtbench.data.build import BuildOptions, build
from mtbench.data.raw import RawDataset
from mtbench.data.truth import Dialogue, RawTruth

SMALL = {"size": 60, "seed": 3, "width": 44}


class Given:
    """A builder that hands over what it was given."""

    summary, licence, sources, published, options = "given", "MIT", (), (), ()
    chains, split, gallery, official = "one-per-target", "official", "split-list", {"all": "test"}

    def __init__(self, raw: RawDataset) -> None:
        self.raw = raw

    def read(self, raw: Path, **options: Any) -> RawDataset:
        return self.raw


RED, BLUE = {"colour": "red"}, {"colour": "blue"}
LOOKS = {"a": RED, "b": BLUE, "c": RED, "d": RED, "e": BLUE}


def pairs() -> RawDataset:
    """a to b to c; d looks like c, and e, which looks like b, is no candidate."""
    steps = [Pair("p0", "a", ("is blue",), "b", "shoe", "all"), Pair("p1", "b", ("is red",), "c", "shoe", "all")]
    truth = RawTruth(LOOKS, requests={"p0": BLUE, "p1": RED})
    return RawDataset(pairs=steps, image_lists={("all", "shoe"): ["a", "b", "c", "d"]}, truth=truth)


def sessions() -> RawDataset:
    turns = (Turn("a", ("is blue",), "b"), Turn("b", ("is red",), "c"))
    return replace(
        pairs(),
        pairs=[],
        sessions=[Transaction("s0", "shoe", turns)],
        session_splits=["all"],
        truth=RawTruth(LOOKS, dialogues={"s0": Dialogue((BLUE, {}), (), "supersede", 7)}),
    )


def made(raw: RawDataset, folder: Path, **options: Any) -> Benchmark:
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    return build("given", Given(raw), folder / "raw", folder / "out", BuildOptions(**options), progress=False)


def test_of_chained_pairs_each_turn_has_the_request_of_its_pair_and_all_images_like_the_target_are_relevant(
    tmp_path: Path,
) -> None:
    found = made(pairs(), tmp_path)
    assert found.truth is not None
    assert found.truth.attributes == {image: LOOKS[image] for image in "abcd"}  # e is nowhere in the benchmark
    (dialogue,) = found.truth.dialogues.values()
    assert dialogue == Dialogue((BLUE, RED), ("a", "c", "d"))
    assert dialogue.contradicts_itself


def test_what_is_relevant_follows_the_gallery(tmp_path: Path) -> None:
    found = made(pairs(), tmp_path, gallery="session-images")
    assert found.truth is not None
    assert [d.relevant for d in found.truth.dialogues.values()] == [("a", "c")]


def test_finished_sessions_keep_their_kind_and_bound(tmp_path: Path) -> None:
    found = made(sessions(), tmp_path)
    assert found.truth is not None
    assert found.truth.dialogues == {"s0": Dialogue((BLUE, {}), ("a", "c", "d"), "supersede", 7)}
    facts = found.manifest["truth"]
    assert (facts["images"], facts["dialogues"], facts["kinds"]) == (4, 1, {"supersede": 1})
    assert "What is known for certain" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    croissant = json.loads((tmp_path / "out" / "croissant.json").read_text(encoding="utf-8"))
    assert {"truth/images.parquet", "truth/dialogues.parquet"} <= {file["@id"] for file in croissant["distribution"]}


def test_where_nothing_is_known_there_is_no_truth_and_the_revision_is_the_same(tmp_path: Path) -> None:
    with_truth, without = made(pairs(), tmp_path / "a"), made(replace(pairs(), truth=None), tmp_path / "b")
    assert without.truth is None
    assert "truth" not in without.manifest
    assert not (tmp_path / "b" / "out" / "truth").exists()
    assert with_truth.revision == without.revision


def test_the_same_truth_gives_the_same_bytes(tmp_path: Path) -> None:
    made(pairs(), tmp_path / "a")
    raw = pairs()
    assert raw.truth is not None
    mixed = replace(raw.truth, attributes=dict(reversed(LOOKS.items())))
    made(replace(raw, truth=mixed), tmp_path / "b")
    for file in ("truth/images.parquet", "truth/dialogues.parquet", "benchmark.json"):
        assert (tmp_path / "a" / "out" / file).read_bytes() == (tmp_path / "b" / "out" / file).read_bytes()


def test_every_gap_in_what_a_builder_hands_over_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(MtbenchError) as caught:
        made(replace(pairs(), truth=RawTruth({"a": RED, "b": BLUE}, requests={"p0": BLUE})), tmp_path)
    assert "c: the image has no attributes" in str(caught.value)
    assert "d: the image has no attributes" in str(caught.value)
    assert "nothing is known of p1" in str(caught.value)
    assert not (tmp_path / "out").exists()
    short = RawTruth(LOOKS, dialogues={"s0": Dialogue((BLUE,), ())})
    with pytest.raises(MtbenchError, match="s0: requests of 1 turns, but it has 2"):
        made(replace(sessions(), truth=short), tmp_path)


@pytest.mark.parametrize(
    ("options", "named"),
    [({"split": "edge-target-disjoint"}, "--split"), ({"clean": ("edge",)}, "--clean")],
)
def test_a_design_is_not_taken_apart(options: dict[str, Any], named: str, tmp_path: Path) -> None:
    with pytest.raises(MtbenchError, match=f"{named} does not apply"):
        made(replace(sessions(), designed=True), tmp_path, **options)


@pytest.fixture(scope="module")
def shoebox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shoebox")
    build("shoebox", Shoebox(), folder / "raw", folder / "out", BuildOptions(extra=SMALL), progress=False)
    return folder


@pytest.fixture
def copy(shoebox: Path, tmp_path: Path) -> Path:
    shutil.copytree(shoebox, tmp_path / "copy")
    return tmp_path / "copy"


def test_the_shoebox_says_what_it_drew(shoebox: Path) -> None:
    found = load(shoebox / "out")
    truth = found.truth
    assert truth is not None
    assert found.manifest["options"]["size"] == 60
    drawn = json.loads((shoebox / "raw" / "attributes.json").read_text(encoding="utf-8"))
    asked = json.loads((shoebox / "raw" / "feedback_attributes.json").read_text(encoding="utf-8"))
    assert truth.attributes == drawn
    transactions = [t for split in ("train", "dev", "test") for t in found.transactions(split)]
    assert truth.dialogues.keys() == {t.transaction_id for t in transactions}
    for transaction in transactions:
        dialogue = truth.dialogues[transaction.transaction_id]
        assert list(dialogue.requests) == [asked[int(pair.split(".")[1])] for pair in transaction.source_pairs]
        for turn, request in zip(transaction.turns, dialogue.requests, strict=True):
            assert request.items() <= drawn[turn.target].items()
        assert transaction.target in dialogue.relevant
        assert all(drawn[image] == drawn[transaction.target] for image in dialogue.relevant)


def rewrite(file: str, column: str, values: Any) -> Any:
    def edit(folder: Path) -> None:
        table = pq.read_table(folder / file)
        place = table.column_names.index(column)
        rows = values(table.column(column).to_pylist())
        pq.write_table(table.set_column(place, column, pa.array(rows, table.column(column).type)), folder / file)

    return edit


IMAGES, DIALOGUES = "truth/images.parquet", "truth/dialogues.parquet"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (rewrite(IMAGES, "attributes", lambda rows: [*rows[1:], rows[0]]), "not the one that benchmark.json describes"),
        (rewrite(DIALOGUES, "kind", lambda rows: ["odd", *rows[1:]]), "not the one that benchmark.json describes"),
        (rewrite(DIALOGUES, "relevant", lambda rows: [[], *rows[1:]]), "not the one that benchmark.json describes"),
        (lambda f: (f / IMAGES).unlink(), "truth/images.parquet: is missing"),
        (lambda f: shutil.rmtree(f / "truth"), "2 problems"),
        (lambda f: (f / DIALOGUES).write_bytes(b"PAR1"), "truth/dialogues.parquet is not readable Parquet"),
        (lambda f: shutil.copy(f / IMAGES, f / DIALOGUES), "has not the columns of one"),
    ],
)
def test_a_damaged_truth_is_refused_when_the_benchmark_is_opened(damage: Any, message: str, copy: Path) -> None:
    damage(copy / "out")
    with pytest.raises(MtbenchError, match=message):
        load(copy / "out")
    unverified = Benchmark(copy / "out", verify=False)
    assert unverified.transactions("test")  # nothing reads the truth before it is asked for
    with pytest.raises(MtbenchError, match=message):
        _ = unverified.truth


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        ("attributes.json", lambda v: v.popitem(), "is not there"),
        ("attributes.json", lambda v: v[min(v)].update(colour="plaid"), "these are no attributes of a shoe"),
        ("feedback_attributes.json", lambda v: v.pop(), "records, but there are"),
        ("feedback_attributes.json", lambda v: v.__setitem__(1, "red"), "record 1: an object of texts is expected"),
    ],
)
def test_raw_files_of_the_truth_are_checked(file: str, edit: Any, message: str, copy: Path) -> None:
    content = json.loads((copy / "raw" / file).read_text(encoding="utf-8"))
    edit(content)
    (copy / "raw" / file).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MtbenchError, match=message):
        build("shoebox", Shoebox(), copy / "raw", copy / "new", BuildOptions(extra=SMALL), progress=False)
    assert not (copy / "new").exists()
