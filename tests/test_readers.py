"""Bad input: each mistake ends in one clear report and nothing half-written, and no bytes whatever break a reader."""

from __future__ import annotations

import csv
import datetime
import decimal
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from layouts import pair, session, shoe, write, write_fashioniq, write_multiturn, write_shoes

from builders.fashioniq import FashionIQ
from builders.multiturn_fashioniq import MultiturnFashionIQ
from builders.pairs import Pairs
from builders.shoes import Shoes
from mtbench.cli import main
from mtbench.core.errors import MtbenchError
from mtbench.data.readers import read_json, read_texts

FUZZ = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
COLUMNS = {"reference": "from", "target": "to", "feedback": ["said"]}
NAMED = ("--reference", "from", "--target", "to", "--feedback", "said")
CSV = "from,to,said\na,b,is red\nb,c,is long\n"


def refused(tmp_path, builder, raw, *options, out=None):
    """The report of a build that must fail: exit 2, one message, and nothing left behind."""
    out = out or tmp_path / "made" / "out"
    before = sorted(tmp_path.rglob("*"))
    found = CliRunner().invoke(main, ["build", builder, "--raw", str(raw), "--out", str(out), *options])
    assert found.exit_code == 2, found.output or found.exception
    assert found.stdout == "" and found.stderr.startswith("mtbench: ") and "Traceback" not in found.stderr
    assert sorted(tmp_path.rglob("*")) == before
    return found.stderr.removeprefix("mtbench: ").rstrip("\n")


# Shoes


def refused_shoes(tmp_path, *records, **lists):
    return refused(tmp_path, "shoes", write_shoes(tmp_path / "raw", records, **lists))


GOOD = shoe("a", "b")
WRONG_SHOES = {
    "a record without a field": ({"ReferenceImageName": "a", "ImageName": "b"}, "no 'RelativeCaption'"),
    "a field that is null": (shoe("a", None, "x"), "no 'ImageName'"),
    "a number for a caption": (shoe("b", "c", 7), "'RelativeCaption' must be text, not 7"),
    "a list for an image": (shoe(["b"], "c"), """'ReferenceImageName' must be text, not ["b"]"""),
    "an empty caption": (shoe("b", "c", " \t"), "'RelativeCaption' is empty"),
    "a record that is no object": (["a", "b"], """an object is expected, not ["a", "b"]"""),
    "an unknown image": (shoe("b", "nowhere"), "nowhere is in no image list"),
    "the same pair twice": (GOOD, "the same pair as in relative_captions_shoes.json, record 0"),
    "a pair across the lists": (shoe("a", "x"), "the pair crosses from train to eval"),
}


@pytest.mark.parametrize("mistake", WRONG_SHOES)
def test_a_wrong_shoes_record_is_reported_with_its_place(tmp_path, mistake):
    record, what = WRONG_SHOES[mistake]
    report = refused_shoes(tmp_path, GOOD, record)
    assert report == f"{tmp_path / 'raw'}: relative_captions_shoes.json, record 1: {what}"


def test_all_problems_of_the_files_are_reported_at_once(tmp_path):
    report = refused_shoes(
        tmp_path, GOOD, GOOD, shoe("b", "?"), {"ImageName": "b"}, train=("a", "b", "b", "x"), evaluation=("x", "y")
    )
    assert report.split("\n  ") == [
        f"{tmp_path / 'raw'}: 6 problems",
        "train_im_names.txt, entry 2: b is listed twice",
        "eval_im_names.txt: x is also in train_im_names.txt",
        "relative_captions_shoes.json, record 1: the same pair as in relative_captions_shoes.json, record 0",
        "relative_captions_shoes.json, record 2: ? is in no image list",
        "relative_captions_shoes.json, record 3: no 'ReferenceImageName'",
        "relative_captions_shoes.json, record 3: no 'RelativeCaption'",
    ]


def test_many_problems_are_counted_and_only_the_first_twenty_shown(tmp_path):
    report = refused_shoes(tmp_path, *[{}] * 1000)
    assert report.startswith(f"{tmp_path / 'raw'}: 3,000 problems\n") and report.endswith("\n  ... and 2,980 more")
    assert len(report.splitlines()) == 22


def test_truncated_json_is_reported_with_line_and_column(tmp_path):
    folder = write_shoes(tmp_path / "raw")
    write(folder / "relative_captions_shoes.json", '[\n  {"ImageName": "a",')
    report = refused(tmp_path, "shoes", folder)
    assert report.startswith(f"{folder / 'relative_captions_shoes.json'}: not valid JSON at line 2, column ")
    assert report.endswith("Is it cut short?")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{}", b"[" * 100_000, b"[1" + b"0" * 5000 + b"]", b"null"])
def test_a_file_that_is_no_list_of_records_is_named(tmp_path, content):
    folder = write_shoes(tmp_path / "raw")
    write(folder / "relative_captions_shoes.json", content)
    assert refused(tmp_path, "shoes", folder).startswith(str(folder / "relative_captions_shoes.json"))


def test_half_a_character_is_refused_with_what_stands_before_it(tmp_path):
    assert read_json(write(tmp_path / "whole.json", r'["\ud83d\ude00"]')) == ["\U0001f600"]
    folder = write_shoes(tmp_path / "raw", [shoe("a", "b", "is so \ud83d")])
    assert "half a character, '\\ud83d', after" in refused(tmp_path, "shoes", folder)


def test_an_image_list_that_is_no_text_is_named(tmp_path):
    folder = write_shoes(tmp_path / "raw")
    write(folder / "eval_im_names.txt", b"x\n\xff\n")
    assert refused(tmp_path, "shoes", folder).startswith(f"{folder / 'eval_im_names.txt'}: not readable as text")


def test_a_missing_file_is_named_with_its_address_and_what_to_type(tmp_path):
    folder = write_shoes(tmp_path / "raw")
    (folder / "eval_im_names.txt").unlink()
    report = refused(tmp_path, "shoes", folder)
    assert "eval_im_names.txt: missing, from https://raw.githubusercontent.com/XiaoxiaoGuo/" in report
    assert f"mtbench build shoes --raw {folder} --out DIR --fetch" in report


def test_self_loops_are_dropped_and_counted_or_refused_on_request(tmp_path):
    folder = write_shoes(tmp_path / "raw", [shoe("a", "a"), shoe("a", "b"), shoe("b", "c"), shoe("x", "x")])
    report = refused(tmp_path, "shoes", folder, "--self-loops", "refuse")
    assert report == (
        "self-loops: 2 problems\n  shoes.00000: from a to itself\n  shoes.00003: from x to itself\n"
        "Leave them out and count them: --self-loops drop"
    )
    found = CliRunner().invoke(
        main, ["build", "shoes", "--raw", str(folder), "--out", str(tmp_path / "out"), "--dev-share", "0", "--json"]
    )
    manifest = json.loads(found.stdout)
    assert manifest["faults"] == {"self-loop": {"count": 2, "examples": ["shoes.00000", "shoes.00003"]}}
    assert manifest["statistics"]["splits"]["train"]["turns"] == {"2": 1}


# FashionIQ and Multi-turn FashionIQ

WRONG_PAIRS = {
    "captions that are no list": (pair("b", "c", "is red"), """'captions' must be a list of texts, not "is red\""""),
    "a caption that is no text": (
        pair("b", "c", ["x", None]),
        """'captions' must be a list of texts, not ["x", null]""",
    ),
    "two empty captions": (pair("b", "c", ["", " "]), "'captions' holds no text"),
    "no caption": (pair("b", "c", []), "'captions' holds no text"),
    "an unknown image": (pair("b", "?"), "? is not in split.dress.val.json"),
    "the same pair twice": (pair("a", "b"), "the same pair as in cap.dress.val.json, record 0"),
    "a hidden target where none may be": ({"candidate": "b", "captions": ["x"]}, "no 'target'"),
}


@pytest.mark.parametrize("mistake", WRONG_PAIRS)
def test_a_wrong_fashioniq_record_is_reported_with_its_place(tmp_path, mistake):
    record, what = WRONG_PAIRS[mistake]
    records = {("dress", "val"): [pair("a", "b"), record]}
    folder = write_fashioniq(tmp_path / "raw", records, lists={("dress", "val"): ["a", "b", "c"]})
    assert refused(tmp_path, "fashioniq", folder) == f"{folder}: cap.dress.val.json, record 1: {what}"


@pytest.mark.parametrize("name", [7, None, "", "  ", ["a"]])
def test_an_image_list_holds_names_alone(tmp_path, name):
    folder = write_fashioniq(tmp_path / "raw", {}, lists={("shirt", "train"): ["a", name]})
    report = refused(tmp_path, "fashioniq", folder)
    assert report == f"{folder}: split.shirt.train.json, entry 1: an image name is expected, not {json.dumps(name)}"


LAYOUT = 'expected {"target": [url, image], "reference": [[url, [caption, ...], image], ...]}'
STEP = ["http://shop/a.jpg", ["is b"], "a"]
WRONG_SESSIONS = {
    "no object": ("a", LAYOUT),
    "no target": ({"reference": [STEP, STEP]}, LAYOUT),
    "a target without address": ({"target": "ab", "reference": [STEP, STEP]}, LAYOUT),
    "no turn": ({"target": ["", "b"], "reference": []}, LAYOUT),
    "a turn without captions": ({"target": ["", "b"], "reference": [STEP, ["", "a"]]}, LAYOUT),
    "captions that are one text": ({"target": ["", "b"], "reference": [STEP, ["", "is b", "a"]]}, LAYOUT),
    "captions by name": ({"target": ["", "b"], "reference": [STEP, ["", {"is b": 1}, "a"]]}, LAYOUT),
    "an image that is no text": ({"target": ["", "b"], "reference": [STEP, ["", ["is b"], 7]]}, LAYOUT),
    "turns by name": ({"target": ["", "b"], "reference": {"xya": 1}}, LAYOUT),
    "an unknown image": (session("a", "b", to="?"), "? is in no image list of its category and split"),
    "a turn with empty captions": (session("a", ("b", [" ", ""]), to="a"), "turn 2 has no caption"),
}


@pytest.mark.parametrize("mistake", WRONG_SESSIONS)
def test_a_wrong_session_is_reported_with_its_place(tmp_path, mistake):
    wrong, what = WRONG_SESSIONS[mistake]
    folder = write_multiturn(tmp_path / "raw", {}, lists={("dress", "train"): ["a", "b"]})
    write(folder / "data" / "dress.train.json", [session("a", "b", to="a"), wrong])
    assert refused(tmp_path, "multiturn-fashioniq", folder) == f"{folder}: dress.train.json, session 1: {what}"


@pytest.mark.parametrize("words", ["red", ["red"], [["red"], 7], {"colour": ["red"]}, None])
def test_attribute_words_come_in_lists(tmp_path, words):
    folder = write_multiturn(
        tmp_path / "raw", {("dress", "train"): [session("a", "b", to="c")]}, attributes={"a": words}
    )
    report = refused(tmp_path, "multiturn-fashioniq", folder)
    assert report.startswith(f"{folder}: asin2attr.all.train.new.json, a: lists of words are expected, not ")


# Pairs


def refused_pairs(tmp_path, content, *options, name="pairs.csv", out=None):
    return refused(tmp_path, "pairs", write(tmp_path / name, content), *NAMED, *options, out=out)


WRONG_TABLES = {
    "columns of other names": (
        "ref,target,text\na,b,c\n",
        "pairs.csv has no column 'from', 'said', 'to'. It has: 'ref'",
    ),
    "an empty file": ("", "pairs.csv holds no pair"),
    "a header alone": ("from,to,said\n", "pairs.csv holds no pair"),
    "an empty name": (CSV + ",d,is wide\n", "pairs.csv: row 3: 'from' is empty"),
    "an empty caption": (CSV + "c,d, \n", "pairs.csv: row 3: the feedback is empty"),
    "the same pair twice": (
        CSV + "a,b,is wide\n",
        "row 3: the same pair as row 1; for several captions add --merge",
    ),
    "a row that is too long": (CSV + "c,d,e,f\n", "pairs.csv: row 3: 4 fields instead of the 3 of the header"),
    "only rows that are too long": ("from,to,said\n1,a,b,c\n", "row 1: 4 fields instead of the 3 of the header"),
    "a row that is too short": (CSV + "c,d\n", "pairs.csv: row 3: 2 fields instead of the 3 of the header"),
    "a column twice": ("from,to,said,to\na,b,c,d\n", "pairs.csv has more than one column 'to'. Rename them."),
    "a quote that never ends": (CSV + 'c,d,"is wide\n', "cannot be read as csv: unexpected end of data"),
    "other text than UTF-8": (b"from,to,said\na,b,caf\xe9\n", "pairs.csv cannot be read as csv: 'utf-8' codec"),
}


@pytest.mark.parametrize("mistake", WRONG_TABLES)
def test_a_wrong_table_is_refused(tmp_path, mistake):
    content, what = WRONG_TABLES[mistake]
    assert what in refused_pairs(tmp_path, content)


WRONG_JSON_TABLES = {
    "pairs.json": [
        ("[]", "holds no pair"),
        ("7", "a list of records is expected, not 7"),
        ('{"from": ["a"], "to": []}', "a list of records is expected, not {"),
        ('[{"from": "a"}, "b", 3]', '2 problems\n  row 2: an object is expected, not "b"\n  row 3: '),
        ('[{"from": "a", "to": "b", "said": 7}]', "row 1: the feedback must be text, not [7]"),
        ('[{"from": 1.5, "to": true, "said": "x"}]', "2 problems\n  row 1: 'from' is 1.5\n  row 1: 'to' is True"),
        ('[{"from": 1, "to": 2, "said": "x"}, {"to": 3, "said": "y"}]', "pairs.json: row 2: 'from' is empty"),
    ],
    "pairs.jsonl": [
        ('{"from": "a"}\n{"from": \n\n[', "2 problems\n  line 2: not valid JSON: "),
        ('{"from": "a", "to": "\\ud800", "said": "x"}', "line 1: not valid JSON: half a character"),
    ],
    "pairs.parquet": [("PAR1", "cannot be read as parquet")],
    "pairs.xlsx": [("", "unknown kind of table '.xlsx'. Known: .csv, .json, .jsonl, .parquet, .tsv")],
}


@pytest.mark.parametrize(("name", "content", "what"), [(k, *v) for k, vs in WRONG_JSON_TABLES.items() for v in vs])
def test_a_wrong_table_of_another_format_is_refused(tmp_path, name, content, what):
    assert what in refused_pairs(tmp_path, content, name=name)


def test_an_unknown_split_name_is_answered_with_the_nearest(tmp_path):
    report = refused_pairs(tmp_path, "from,to,said,part\na,b,c,trian\nb,c,d,\n", "--split-column", "part")
    assert "2 problems\n  row 2: 'part' is empty\n  row 1: no split named 'trian'. Did you mean 'train'?" in report


def test_a_table_that_is_not_there_is_refused(tmp_path):
    report = refused(tmp_path, "pairs", tmp_path / "none.csv", *NAMED)
    assert report == f"{tmp_path / 'none.csv'} is no file: give the table of pairs with --raw"


def test_pairs_that_make_no_transaction_are_refused_with_what_to_try(tmp_path):
    report = refused_pairs(tmp_path, "from,to,said\na,b,is red\n")
    assert "one-per-target makes no transaction of 2 to 4 turns of 1 pairs. Try another --chains" in report


# Options and the folder to write

WRONG_OPTIONS = {
    ("--chains", "all-path"): "no chain policy named 'all-path'. Did you mean 'all-paths'?",
    ("--cycles", "stay"): "no cycle rule named 'stay'.",
    ("--split", "oficial"): "no split policy named 'oficial'. Did you mean 'official'?",
    ("--gallery", "session-image"): "no gallery rule named 'session-image'. Did you mean 'session-images'?",
    ("--gallery", "split-list"): "these raw files have no image lists; add --gallery all-images or session-images",
    ("--self-loops", "keep"): "no self-loop rule named 'keep'.",
    ("--min-turns", "3", "--max-turns", "2"): "turns must satisfy 1 <= min <= max, not 3 and 2",
    ("--dev-share", "0.9"): "the shares of dev and test must be 0 or more, and leave something to train on",
    ("--dev-share", "nan"): "the shares of dev and test must be 0 or more, and leave something to train on",
    ("--images", "nowhere"): "the image folder nowhere does not exist",
    ("--image-captions", "nowhere.json"): "nowhere.json does not exist",
    ("--fetch",): "the builder 'pairs' has nothing to download",
}


@pytest.mark.parametrize("options", WRONG_OPTIONS)
def test_a_wrong_option_is_refused_before_anything_is_written(tmp_path, options):
    assert WRONG_OPTIONS[options] in refused_pairs(tmp_path, CSV, *options)


CAPTION_FILES = [
    ('{"z": "a shoe"}', "none of its 1 captions is of an image of this data; images are named like a"),
    ('["a"]', 'an object {image: caption} is expected, not ["a"]'),
    (
        '{"a": 7, "b": "x", "c": null}',
        "2 problems\n  a: the caption must be text, not 7\n  c: the caption ",
    ),
]


@pytest.mark.parametrize(("content", "what"), CAPTION_FILES)
def test_captions_that_do_not_fit_are_refused(tmp_path, content, what):
    assert what in refused_pairs(tmp_path, CSV, "--image-captions", str(write(tmp_path / "captions.json", content)))


def test_a_caption_folder_without_files_is_refused(tmp_path):
    (tmp_path / "captions").mkdir()
    with pytest.raises(MtbenchError, match=r"captions holds no \.json file of captions"):
        read_texts(tmp_path / "captions")


def test_an_image_folder_with_nothing_or_two_files_for_an_image_is_refused(tmp_path):
    images = tmp_path / "images"
    write(images / "other.jpg", b"")
    report = refused_pairs(tmp_path, CSV, "--images", str(images))
    assert report == f"{images} holds no image of this data: files are named like a"
    for name in ("x/a.jpg", "y/a.png"):
        write(images / name, b"")
    report = refused_pairs(tmp_path, CSV, "--images", str(images))
    assert report == f"{images}: a: two files: x/a.jpg, y/a.png"


def test_finished_sessions_are_not_chained_again(tmp_path):
    folder = write_multiturn(tmp_path / "raw", {("dress", "train"): [session("a", "b", to="c")]})
    report = refused(tmp_path, "multiturn-fashioniq", folder, "--chains", "maximal")
    assert report.startswith("this data comes as finished sessions: leave --chains out")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    in_the_way = write(tmp_path / "file", "mine")
    full = write(tmp_path / "full" / "notes.txt", "mine").parent
    table = write(tmp_path / "pairs.csv", CSV)
    for out, what in [
        (in_the_way, f"{in_the_way} is a file; "),
        (in_the_way / "below", f"{in_the_way} is a file; "),
        (in_the_way / "far" / "below", f"{in_the_way} is a file; "),
        (full, f"{full} exists and is not empty; give another folder, or add --overwrite"),
    ]:
        assert refused(tmp_path, "pairs", table, *NAMED, out=out).startswith(what)
    assert in_the_way.read_text() == (full / "notes.txt").read_text() == "mine"


def test_a_folder_without_the_right_to_write_is_refused(tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mtbench.core.files.tempfile.mkdtemp", denied)
    assert refused_pairs(tmp_path, CSV, out=tmp_path / "out") == f"cannot write {tmp_path / 'out'}: Permission denied"


def test_an_empty_folder_is_filled_and_another_replaced_on_request(tmp_path):
    table, out = write(tmp_path / "pairs.csv", CSV), tmp_path / "out"
    out.mkdir()
    command = ["build", "pairs", "--raw", str(table), "--out", str(out), *NAMED]
    assert CliRunner().invoke(main, command).exit_code == 0
    write(out / "old", "old")
    assert CliRunner().invoke(main, [*command, "--overwrite"]).exit_code == 0
    assert (out / "benchmark.json").is_file() and not (out / "old").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pairs.csv"]


# Whatever is in a file, a reader answers with an MtbenchError or with data that can be written


def check(raw):
    """What every RawDataset must hold to, whatever it was read from."""
    texts = [*raw.subcategories, *raw.subcategories.values(), *raw.attributes, *raw.notes]
    for listed in raw.image_lists.values():
        assert len(set(listed)) == len(listed)
        texts += listed
    texts += [word for words in raw.attributes.values() for word in words]
    keys = [(p.category, p.split, p.reference, p.target) for p in raw.pairs]
    assert len(set(keys)) == len(keys)
    steps = [*raw.pairs, *(turn for s in raw.sessions or () for turn in s.turns)]
    for step in steps:
        assert step.feedback and all(isinstance(text, str) and text == text.strip() != "" for text in step.feedback)
        assert step.reference and step.target
        texts += [step.reference, step.target, *step.feedback]
    for found in raw.sessions or ():
        assert len(found.turns) >= 2
        assert [turn.target for turn in found.turns[:-1]] == [turn.reference for turn in found.turns[1:]]
    assert len(raw.sessions or ()) == len(raw.session_splits)
    "".join(texts).encode()  # strings all, without half a character


def survives(builder, folder, **options):
    try:
        check(builder.read(folder, **options))
    except MtbenchError as error:
        str(error).encode()


FIELDS = [
    "ReferenceImageName",
    "ImageName",
    "RelativeCaption",
    "candidate",
    "target",
    "captions",
    "reference",
    "Caption",
]
text = st.text(st.characters(exclude_categories=()), max_size=6)
leaves = st.one_of(
    st.sampled_from(["a", "b", "c", "x", " a", ""]),
    text,
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**300, max_value=10**400),
    st.floats(),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | text, inner, max_size=4),
    max_leaves=12,
)
records = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, values))
released = st.fixed_dictionaries(
    {
        "target": st.tuples(leaves, leaves) | values,
        "reference": st.lists(st.tuples(leaves, st.lists(leaves, max_size=3) | values, leaves) | values, max_size=3),
    }
)
json_files = st.one_of(values, st.lists(records | released | values, max_size=4)).map(json.dumps)
BROKEN = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"9" * 5000,
    b"[" + b"9" * 4300 + b"]",
    b"\xff\xfe",
    b"\x00",
    rb'["\u0000", "\ud800"]',
    b'[{"ImageName": "a", "ImageName": "b"}]',
    b"\xef\xbb\xbf[]",
    b"NaN",
]


def whole_shoes(folder):
    return write_shoes(folder, captions=[{"ImageName": "x", "Caption": "a shoe"}])


def whole_fashioniq(folder):
    return write_fashioniq(
        folder,
        {("dress", "train"): [pair("a", "b"), pair("b", "c")], ("dress", "val"): [pair("x", "y")]},
        hidden={"dress": [{"candidate": "h", "captions": ["?"]}]},
    )


def whole_multiturn(folder):
    sessions = {("dress", "train"): [session("a", "b", to="c"), session("b", "c", "a", to="x")]}
    words = {"a": [["red"], [], ["long"]]}
    return write_multiturn(folder, sessions, attributes=words)


LAYOUTS = {
    "shoes": (
        Shoes(),
        whole_shoes,
        ["relative_captions_shoes.json", "train_im_names.txt", "captions_shoes.json"],
    ),
    "fashioniq": (
        FashionIQ(),
        whole_fashioniq,
        ["captions/cap.dress.train.json", "image_splits/split.dress.val.json", "captions/cap.dress.test.json"],
    ),
    "multiturn-fashioniq": (
        MultiturnFashionIQ(),
        whole_multiturn,
        ["data/dress.train.json", "image_splits/split.dress.train.json", "attr/asin2attr.all.train.new.json"],
    ),
}
each_layout = pytest.mark.parametrize(
    ("layout", "file"), [(layout, file) for layout, (_, _, files) in LAYOUTS.items() for file in files]
)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_files_that_the_fuzz_starts_from_are_whole(tmp_path, layout):
    builder, whole, files = LAYOUTS[layout]
    folder = whole(tmp_path)
    raw = builder.read(folder)
    assert raw.pairs or raw.sessions
    assert all((folder / file).is_file() for file in files)
    check(raw)


@each_layout
@given(content=json_files)
@FUZZ
def test_any_json_value_is_read_or_refused(tmp_path, layout, file, content):
    builder, whole, _ = LAYOUTS[layout]
    folder = tmp_path if tmp_path.joinpath(file).exists() else whole(tmp_path)
    write(folder / file, content)
    survives(builder, folder)


@each_layout
@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_hostile_bytes_are_read_or_refused(tmp_path, layout, file, content):
    builder, whole, _ = LAYOUTS[layout]
    folder = whole(tmp_path)
    write(folder / file, content)
    survives(builder, folder)


@st.composite
def damages(draw):
    """Where a file is cut, or what replaces how many of its bytes, as shares of its length."""
    place = draw(st.floats(0, 1))
    return place, draw(st.sampled_from([None, 0, 1, 2, 9])), draw(st.binary(max_size=4) | st.sampled_from(list(BROKEN)))


def damaged(content, damage):
    place, length, instead = damage
    start = int(place * len(content))
    return content[:start] if length is None else content[:start] + instead + content[start + length :]


@each_layout
@given(damage=damages())
@FUZZ
def test_a_damaged_file_is_read_or_refused(tmp_path, layout, file, damage):
    builder, whole, _ = LAYOUTS[layout]
    folder, kept = tmp_path / "raw", tmp_path / "kept"
    if not kept.exists():
        kept.write_bytes((whole(folder) / file).read_bytes())
    write(folder / file, damaged(kept.read_bytes(), damage))
    survives(builder, folder)


def test_nesting_at_the_limit_of_the_parser_is_read_or_refused(tmp_path):
    folder = whole_shoes(tmp_path)
    for depth in range(700, 1010, 3):
        write(folder / "relative_captions_shoes.json", "[" * depth + "]" * depth)
        survives(Shoes(), folder)


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["a", "b", ' "q" ', "x,y\nz", "\0"]
)


@given(rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=5))
@FUZZ
@example(rows=[("a", "b", 'say "no",\nthen "yes"\t;')])
def test_a_csv_gives_back_what_a_csv_writer_was_given(tmp_path, rows):
    for suffix, delimiter in ((".csv", ","), (".tsv", "\t")):
        path = tmp_path / f"pairs{suffix}"
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("from", "to", "said"), *rows])
        wanted = [tuple(cell.strip() for cell in row) for row in rows]
        if all(all(row) for row in wanted) and len({row[:2] for row in wanted}) == len(wanted):
            found = Pairs().read(path, **COLUMNS).pairs
            assert [(p.reference, p.target, *p.feedback) for p in found] == wanted
        else:
            survives(Pairs(), path, **COLUMNS)


@given(
    content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode),
    suffix=st.sampled_from(["csv", "tsv", "jsonl"]),
)
@FUZZ
def test_any_bytes_are_a_table_or_refused(content, suffix, tmp_path_factory):
    head = b'{"from": "a", "to": "b", "said": "c"}\n' if suffix == "jsonl" else b"from,to,said\n"
    for whole in (content, head + content):
        survives(Pairs(), write(tmp_path_factory.getbasetemp() / f"pairs.{suffix}", whole), **COLUMNS)


@given(
    content=st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(("from", "to", "said", "kind", "part"), values)))
)
@FUZZ
def test_any_json_table_is_read_or_refused(tmp_path, content):
    more = {**COLUMNS, "category": "kind", "split_column": "part", "merge_captions": True}
    for options in (COLUMNS, more):
        survives(Pairs(), write(tmp_path / "pairs.json", json.dumps(content)), **options)
        lines = "\n".join(json.dumps(row) for row in content)
        survives(Pairs(), write(tmp_path / "pairs.jsonl", lines), **options)


@given(columns=st.dictionaries(st.sampled_from(["from", "to", "said"]), values))
@FUZZ
def test_any_object_of_columns_is_read_or_refused(tmp_path, columns):
    survives(Pairs(), write(tmp_path / "pairs.json", json.dumps(columns)), **COLUMNS)


NOON = datetime.datetime(2024, 5, 1, 12)
ODD = {
    "null": pa.nulls(2),
    "bool": pa.array([True, False]),
    "float": pa.array([1.0, float("nan")]),
    "int with null": pa.array([1, None]),
    "uint64": pa.array([2**64 - 1, 0], pa.uint64()),
    "decimal": pa.array([decimal.Decimal("1.5"), None]),
    "binary": pa.array([b"\xff", b"a"]),
    "not utf-8": pa.array([b"\xff", b"a"]).cast(pa.binary()).view(pa.string()),
    "date": pa.array([NOON.date(), None]),
    "timestamp": pa.array([NOON, None], pa.timestamp("ns", "UTC")),
    "timestamp out of range": pa.array([2**62, -(2**62)], pa.int64()).view(pa.timestamp("ms")),
    "unknown time zone": pa.array([NOON, NOON], pa.timestamp("us", "Nowhere/Land")),
    "duration": pa.array([1, 2], pa.duration("s")),
    "dictionary": pa.array(["a", "b"]).dictionary_encode(),
    "large string": pa.array(["a", "b"], pa.large_string()),
    "list": pa.array([["a", "b"], None]),
    "list of null": pa.array([[None], []], pa.list_(pa.string())),
    "nested list": pa.array([[["a"]], [["b"], []]]),
    "fixed list": pa.array([["a", "b"], ["c", "d"]], pa.list_(pa.string(), 2)),
    "struct": pa.array([{"a": 1}, None]),
    "map": pa.array([[("a", "b")], []], pa.map_(pa.string(), pa.string())),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_parquet_column_of_any_type_is_read_or_refused(tmp_path, kind):
    plain = {"from": pa.array(["a", "b"]), "to": pa.array(["b", "c"]), "said": pa.array(["x", "y"])}
    for column in plain:
        path = tmp_path / f"{column}.parquet"
        pq.write_table(pa.table({**plain, column: ODD[kind]}), path)
        survives(Pairs(), path, **COLUMNS)


def test_parquet_dictionaries_large_strings_and_lists_are_text(tmp_path):
    path = tmp_path / "pairs.parquet"
    table = {"from": ODD["dictionary"], "to": ODD["large string"], "said": ODD["fixed list"]}
    pq.write_table(pa.table(table), path)
    found = [(p.reference, p.target, p.feedback) for p in Pairs().read(path, **COLUMNS).pairs]
    assert found == [("a", "a", ("a", "b")), ("b", "b", ("c", "d"))]


def test_a_parquet_column_twice_is_refused(tmp_path):
    path = tmp_path / "pairs.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 4, ["from", "to", "said", "to"]), path)
    with pytest.raises(MtbenchError, match="more than one column 'to'"):
        Pairs().read(path, **COLUMNS)


@given(share=st.floats(0, 1, exclude_max=True))
@settings(FUZZ, max_examples=30)
def test_a_truncated_parquet_is_refused(tmp_path, share):
    path = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"from": ["a"], "to": ["b"], "said": ["c"]}), path)
    content = path.read_bytes()
    with pytest.raises(MtbenchError, match="cannot be read as parquet"):
        Pairs().read(write(tmp_path / "cut.parquet", content[: int(share * len(content))]), **COLUMNS)
