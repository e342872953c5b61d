"""The feature store: what is encoded, how it survives being stopped, and what it refuses to read."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tiny import CAPTIONS, write_tiny_benchmark

from mtbench.core.errors import MtbenchError
from mtbench.core.registry import ENCODERS
from mtbench.core.types import Image, Protocol
from mtbench.data.benchmark import Benchmark
from mtbench.features.content import all_texts, training_part
from mtbench.features.store import build_encoder, encode, names, open_features

Array = npt.NDArray[Any]
LENGTHS = f"{__name__}:Lengths"


class Lengths:
    """Two numbers for each image or text: the number of its letters, and a constant that `fit` may change."""

    proxy = "caption"
    reads_text = True

    def __init__(self, *, constant: float = 1.0) -> None:
        self.constant = constant
        self.images_seen: list[str] = []
        self.fitted: tuple[list[str], list[str]] | None = None

    def settings(self) -> dict[str, Any]:
        return {"constant": self.constant}

    def fit(self, images: Sequence[Image], texts: Sequence[str]) -> None:
        self.fitted = ([image.image_id for image in images], list(texts))

    def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
        self.images_seen += [image.image_id for image in images]
        return np.array([[len(image.caption or ""), self.constant] for image in images], np.float64)

    def encode_texts(self, texts: Sequence[str]) -> Array:
        assert self.fitted is not None
        return np.array([[len(text), self.constant] for text in texts], np.float32)


class Pictures(Lengths):
    """As `Lengths`, but knows no text."""

    reads_text = False


@pytest.fixture
def tiny(tmp_path: Path) -> Benchmark:
    return write_tiny_benchmark(tmp_path / "tiny")


def store(benchmark: Benchmark, encoder: Any, name: str = "lengths", **options: Any) -> Any:
    return encode(benchmark, encoder, name, progress=False, **options)


def digest(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# What is encoded


def test_images_and_texts_come_back_in_the_order_asked_for(tiny: Benchmark) -> None:
    store(tiny, Lengths())
    features = open_features(tiny, "lengths")
    assert (features.name, features.proxy, features.reads_text, features.dim) == (
        "lengths",
        "caption",
        True,
        2,
    )
    assert features.images(["shirt", "red", "t3"]).tolist() == [[7, 1], [11, 1], [0, 1]]
    assert features.images([]).shape == (0, 2)
    assert features.texts(["is longer", "is blue", "is longer"])[:, 0].tolist() == [9, 7, 9]
    assert features.texts(["is blue"]).dtype == features.images(["red"]).dtype == np.float32


def test_the_texts_are_every_turn_and_every_whole_transaction_joined_as_the_protocol_says(
    tmp_path: Path,
) -> None:
    tiny = write_tiny_benchmark(tmp_path, protocol=Protocol(joiner="; "))
    assert all_texts(tiny) == [
        "has dots; is green",
        "is blue",
        "is blue; is longer",
        "is longer",
        "is plain",
        "is shorter",
        "is shorter; has dots; is green",
        "is zebra striped",
        "is zebra striped; is plain",
    ]
    store(tiny, Lengths())
    assert json.loads((tmp_path / "features/lengths/texts.json").read_text()) == all_texts(tiny)
    assert np.load(tmp_path / "features/lengths/texts.npy").shape == (9, 2)


def test_an_encoder_learns_from_the_training_split_alone(tiny: Benchmark) -> None:
    encoder = Lengths()
    store(tiny, encoder)
    assert encoder.fitted == (["blue", "long", "red", "shirt"], ["is blue", "is longer"])
    assert training_part(tiny)[1] == ["is blue", "is longer"]


@pytest.mark.parametrize("rule", ["all-images", "session-images"])
def test_where_all_images_are_candidates_an_encoder_learns_from_those_of_train_transactions_alone(
    tmp_path: Path, rule: str
) -> None:
    everywhere = {image_id: caption for rows in CAPTIONS.values() for image_id, caption in rows.items()}
    tiny = write_tiny_benchmark(tmp_path, captions=dict.fromkeys(CAPTIONS, everywhere), protocol=Protocol(gallery=rule))
    assert len(tiny.gallery("train", "dress").image_ids) == 10
    images, texts = training_part(tiny)
    assert [image.image_id for image in images] == ["blue", "long", "red"]
    assert texts == ["is blue", "is longer"]


def test_the_vectors_are_mapped_into_memory_not_read(tiny: Benchmark) -> None:
    features = store(tiny, Lengths())
    assert isinstance(features._images, np.memmap)
    assert isinstance(features._texts, np.memmap)


def test_the_same_input_gives_the_same_bytes_whatever_the_block_size(tiny: Benchmark, tmp_path: Path) -> None:
    store(tiny, Lengths(), folder=tmp_path / "a")
    store(tiny, Lengths(), folder=tmp_path / "b", batch=3)
    assert digest(tmp_path / "a/lengths") == digest(tmp_path / "b/lengths")
    assert sorted(digest(tmp_path / "a/lengths")) == [
        "features.json",
        "images.json",
        "images.npy",
        "texts.json",
        "texts.npy",
    ]


def test_an_encoder_without_texts_stores_images_only_and_says_so(tiny: Benchmark) -> None:
    features = store(tiny, Pictures())
    assert not (features.path / "texts.npy").exists()
    with pytest.raises(MtbenchError, match="know images only, no texts"):
        features.texts(["is blue"])


def test_a_text_that_is_not_stored_is_encoded_by_the_same_encoder_made_again(
    tiny: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODERS._decorated, "lengths", Lengths)
    store(tiny, Lengths(constant=2.5), spec="lengths")
    features = open_features(tiny, "lengths")
    assert features.texts(["new", "is blue", "new"]).tolist() == [[3, 2.5], [7, 2.5], [3, 2.5]]
    assert features._encoder.fitted == (["blue", "long", "red", "shirt"], ["is blue", "is longer"])  # type: ignore


def test_an_encoder_that_changed_since_is_not_mixed_with_what_is_stored(
    tiny: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODERS._decorated, "lengths", Lengths)
    features = store(tiny, Lengths(), spec="lengths")
    monkeypatch.setattr(Lengths, "encode_texts", lambda self, texts: np.ones((len(texts), 2)))
    with pytest.raises(MtbenchError, match=r"now gives other vectors(.|\n)*--overwrite"):
        features.texts(["new"])


def test_an_encoder_that_cannot_be_made_again_is_named(tiny: Benchmark) -> None:
    store(tiny, Lengths(), spec="gone")
    features = open_features(tiny, "lengths")
    with pytest.raises(MtbenchError, match=r"needs its encoder, which cannot be made again: .*'gone'"):
        features.texts(["new"])
    assert features.texts(["is blue"]).tolist() == [[7, 1]]


def test_code_that_stored_features_name_is_never_run(tiny: Benchmark, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass E: pass\n")
    given = store(tiny, Lengths(), spec=f"{tmp_path}/evil.py:E")
    assert given.texts(["new"]).tolist() == [[3, 1]]
    features = open_features(tiny, "lengths")
    with pytest.raises(MtbenchError, match=r"is not stored(.|\n)*evil.py:E(.|\n)*--overwrite"):
        features.texts(["new"])
    assert features.texts(["is blue"]).tolist() == [[7, 1]]
    assert not ran.exists()


def test_a_result_record_learns_name_encoder_settings_proxy_and_key(tiny: Benchmark) -> None:
    found = store(tiny, Lengths(), spec=LENGTHS).describe()
    assert len(found.pop("key")) == 64
    assert found == {
        "name": "lengths",
        "encoder": LENGTHS,
        "settings": {"constant": 1.0},
        "proxy": "caption",
        "dim": 2,
    }


def test_building_an_encoder_from_typed_options_gives_its_types() -> None:
    encoder = build_encoder(LENGTHS, {"constant": "3"})
    assert encoder.settings() == {"constant": 3.0}
    with pytest.raises(MtbenchError, match="is no encoder: it has no settings, fit"):
        build_encoder("mtbench.core.types:Protocol", {})


# Stopped and run again


class Stops(Lengths):
    """Is killed after some blocks of images."""

    blocks = 2

    def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
        if len(self.images_seen) >= 3 * self.blocks:
            raise KeyboardInterrupt
        return super().encode_images(images, folder)


def test_a_run_that_was_killed_goes_on_where_it_was(
    tiny: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        store(tiny, Stops(), batch=3)
    assert not (tmp_path / "tiny/features/lengths").exists()
    monkeypatch.setattr(Stops, "blocks", 100)
    again = Stops()
    features = store(tiny, again, batch=3)
    assert again.images_seen == sorted(tiny.images)[6:]
    assert sorted(path.name for path in (tmp_path / "tiny/features").iterdir()) == [".lengths.lock", "lengths"]
    assert features.images(["blue", "t2"])[:, 0].tolist() == [12, 13]


def test_a_run_with_other_settings_starts_afresh(tiny: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        store(tiny, Stops(), batch=3)
    monkeypatch.setattr(Stops, "blocks", 100)
    again = Stops(constant=2.0)
    assert store(tiny, again, batch=3).images(["blue"]).tolist() == [[12, 2]]
    assert again.images_seen == sorted(tiny.images)


def test_a_block_that_was_cut_short_is_encoded_again(tiny: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        store(tiny, Stops(), batch=3)
    block = tiny.path / "features/.lengths.partial/images-00001.npy"
    block.write_bytes(block.read_bytes()[:-4])
    monkeypatch.setattr(Stops, "blocks", 100)
    again = Stops()
    store(tiny, again, batch=3)
    assert again.images_seen == sorted(tiny.images)[3:]


def test_features_that_are_there_are_not_encoded_twice(tiny: Benchmark) -> None:
    store(tiny, Lengths())
    again = Lengths()
    store(tiny, again)
    assert again.images_seen == []


def test_other_features_of_the_same_name_are_replaced_only_if_told_so(tiny: Benchmark) -> None:
    store(tiny, Lengths())
    with pytest.raises(MtbenchError, match=r"features/lengths holds features made from other.*--overwrite"):
        store(tiny, Lengths(constant=3))
    assert store(tiny, Lengths(constant=3), overwrite=True).images(["red"]).tolist() == [[11, 3]]
    assert names(tiny) == ["lengths"]


def test_an_encoder_file_that_was_edited_is_another_encoder(tiny: Benchmark, tmp_path: Path) -> None:
    file = tmp_path / "enc.py"
    source = "from test_features import Lengths\n\nclass Mine(Lengths):\n    "
    file.write_text(source + "pass\n")
    store(tiny, build_encoder(f"{file}:Mine", {}))
    store(tiny, build_encoder(f"{file}:Mine", {}))
    file.write_text(
        file.read_text() + "    def encode_images(self, *a):\n        return super().encode_images(*a) * 2\n"
    )
    with pytest.raises(MtbenchError, match=r"holds features made from other settings.*--overwrite"):
        store(tiny, build_encoder(f"{file}:Mine", {}))
    edited = store(tiny, build_encoder(f"{file}:Mine", {}), overwrite=True)
    assert edited.images(["red"]).tolist() == [[22, 2]]


def test_a_folder_that_holds_no_features_is_never_replaced(tiny: Benchmark) -> None:
    (tiny.path / "features/lengths").mkdir(parents=True)
    (tiny.path / "features/lengths/thesis.txt").write_text("mine")
    with pytest.raises(MtbenchError, match="exists, but holds no features"):
        store(tiny, Lengths(), overwrite=True)
    assert (tiny.path / "features/lengths/thesis.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_named(tiny: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MtbenchError, match=r"cannot write .*file/.lengths.partial"):
        store(tiny, Lengths(), folder=tmp_path / "file")


class Slow(Lengths):
    """Marks each fit with a file, and takes a moment for every block."""

    def fit(self, images: Sequence[Image], texts: Sequence[str]) -> None:
        super().fit(images, texts)
        Path(os.environ["FITS"], f"{os.getpid()}").touch()

    def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
        time.sleep(0.1)
        return super().encode_images(images, folder)


SLOWLY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_features import Slow, store
from mtbench.data.benchmark import load
print(store(load(sys.argv[2]), Slow(), "slow", batch=1).images(["red"]).tolist())
"""


def slowly(tiny: Benchmark, fits: Path) -> subprocess.Popen[str]:
    """Another process that encodes with `Slow`."""
    fits.mkdir(exist_ok=True)
    command = [sys.executable, "-c", SLOWLY, str(Path(__file__).parent), str(tiny.path)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, "FITS": str(fits)})


def test_of_three_processes_that_encode_the_same_features_at_once_one_does_and_the_others_wait(
    tiny: Benchmark, tmp_path: Path
) -> None:
    processes = [slowly(tiny, tmp_path / "fits") for _ in range(3)]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "[[11.0, 1.0]]\n"), err
    assert len(list((tmp_path / "fits").iterdir())) == 1


def test_a_process_that_was_killed_leaves_no_lock_behind(
    tiny: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = slowly(tiny, tmp_path / "fits")
    while not list((tmp_path / "fits").iterdir()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    monkeypatch.setenv("FITS", str(tmp_path / "fits"))
    assert store(tiny, Slow(), "slow", batch=1).images(["red"]).tolist() == [[11.0, 1.0]]


# What encoders may not do


def test_every_image_with_a_vector_that_is_not_finite_is_named(tiny: Benchmark) -> None:
    class Broken(Lengths):
        def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
            vectors = super().encode_images(images, folder)
            vectors[[i for i, image in enumerate(images) if image.image_id == "red"]] = np.nan
            vectors[[i for i, image in enumerate(images) if image.image_id == "t1"]] = 1e300
            return vectors

    with pytest.raises(MtbenchError) as caught:
        store(tiny, Broken(), batch=2)
    assert str(caught.value).splitlines() == [
        "vectors of images: 2 problems",
        "  red: its vector has NaN or infinite values",
        "  t1: its vector has NaN or infinite values",
        "The encoder must give finite numbers",
    ]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 2), r"images blue to t3: the encoder returned vectors of shape \(2, 2\), not \(10, dim\)"),
        ((10,), r"returned vectors of shape \(10,\)"),
        ((10, 0), r"returned vectors of shape \(10, 0\)"),
        ((10, 5), r"texts .* the encoder returned vectors of width 2, after 5 before"),
    ],
)
def test_vectors_of_a_wrong_shape_are_refused(tiny: Benchmark, shape: tuple[int, ...], message: str) -> None:
    class Wrong(Lengths):
        def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
            return np.zeros(shape)

    with pytest.raises(MtbenchError, match=message):
        store(tiny, Wrong())


def test_a_proxy_of_ones_own_invention_is_refused(tiny: Benchmark) -> None:
    encoder = Lengths()
    encoder.proxy = "captions"
    with pytest.raises(MtbenchError, match=r"no image proxy named 'captions'. Did you mean 'caption'"):
        store(tiny, encoder)


def test_settings_that_are_no_json_are_refused(tiny: Benchmark) -> None:
    encoder = Lengths(constant=np.float32(2))  # type: ignore[arg-type]
    with pytest.raises(MtbenchError, match="must be plain JSON"):
        store(tiny, encoder)


@pytest.mark.parametrize("name", ["", "a+b", "../up", ".hidden", "a b"])
def test_a_name_must_be_a_plain_folder_name(tiny: Benchmark, name: str) -> None:
    with pytest.raises(MtbenchError, match="features cannot be named"):
        store(tiny, Lengths(), name)


def test_without_one_caption_the_caption_proxy_says_how_to_get_them(tmp_path: Path) -> None:
    bare = {split: dict.fromkeys(rows) for split, rows in CAPTIONS.items()}
    with pytest.raises(MtbenchError, match=r"no image has a caption.*--image-captions FILE"):
        store(write_tiny_benchmark(tmp_path, captions=bare), Lengths())


# What is refused when read


def test_an_unknown_name_is_answered_with_those_that_exist(tiny: Benchmark) -> None:
    store(tiny, Lengths())
    with pytest.raises(MtbenchError, match=r"no features named 'length'. Did you mean 'lengths'"):
        open_features(tiny, "length")


def test_all_unknown_images_are_named(tiny: Benchmark) -> None:
    with pytest.raises(MtbenchError) as caught:
        store(tiny, Lengths()).images(["red", "nope", "nor this"])
    assert str(caught.value).splitlines() == [
        "features 'lengths': 2 problems",
        "  nope: no such image",
        "  nor this: no such image",
    ]


def test_features_of_another_revision_or_of_other_captions_do_not_open(tiny: Benchmark, tmp_path: Path) -> None:
    store(tiny, Lengths())
    other = write_tiny_benchmark(tmp_path / "other", protocol=Protocol(joiner=", "))
    with pytest.raises(
        MtbenchError, match=r"was encoded for revision .* --set constant=1.0 --name lengths --overwrite"
    ):
        open_features(other, "lengths", folder=tiny.path / "features")
    words = {**CAPTIONS, "test": {**CAPTIONS["test"], "t1": "a changed caption"}}
    same = write_tiny_benchmark(tmp_path / "same", captions=words)
    assert same.revision == tiny.revision
    with pytest.raises(MtbenchError, match="was encoded from other images, words or texts"):
        open_features(same, "lengths", folder=tiny.path / "features")


@pytest.mark.parametrize("file", ["images.npy", "texts.npy"])
def test_a_vector_file_that_was_cut_short_is_named(tiny: Benchmark, file: str) -> None:
    path = store(tiny, Lengths()).path / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MtbenchError, match=rf"{file} is damaged .*--name lengths --overwrite"):
        open_features(tiny, "lengths")


def test_pickled_vectors_are_never_loaded(tiny: Benchmark) -> None:
    path = store(tiny, Lengths()).path / "images.npy"
    np.save(path, np.array([{"an": "object"}], dtype=object), allow_pickle=True)
    with pytest.raises(MtbenchError, match=r"images.npy is damaged"):
        open_features(tiny, "lengths")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "features.json is no JSON"),
        ("[]", "is no manifest of features"),
        ("{}", "features.json: 10 problems"),
        ('{"encoder": {"options": []}}', "encoder.options: is missing or of another type"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_named(tiny: Benchmark, text: str, message: str) -> None:
    (store(tiny, Lengths()).path / "features.json").write_text(text)
    with pytest.raises(MtbenchError, match=message):
        open_features(tiny, "lengths")


def test_a_manifest_that_was_edited_or_of_another_version_is_refused(tiny: Benchmark) -> None:
    path = store(tiny, Lengths()).path / "features.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "settings": {"constant": 9}}))
    with pytest.raises(MtbenchError, match="was changed after the encoding"):
        open_features(tiny, "lengths")
    path.write_text(json.dumps({**manifest, "schema_version": 2}))
    with pytest.raises(MtbenchError, match="has schema version 2; this mtbench reads 1"):
        open_features(tiny, "lengths")


# Joined


def test_joined_features_are_unit_parts_side_by_side(tiny: Benchmark) -> None:
    store(tiny, Lengths(constant=0), "a")
    store(tiny, Lengths(constant=24), "b")
    joined = open_features(tiny, "a+b")
    assert (joined.name, joined.proxy, joined.dim, joined.reads_text) == ("a+b", "caption", 4, True)
    # 7 letters: (7, 0) has length 7, (7, 24) has length 25
    np.testing.assert_allclose(joined.images(["shirt"]), [[1, 0, 7 / 25, 24 / 25]], rtol=1e-6)
    np.testing.assert_allclose(joined.texts(["is blue"]), [[1, 0, 7 / 25, 24 / 25]], rtol=1e-6)
    assert joined.describe()["settings"] == {"a": {"constant": 0.0}, "b": {"constant": 24.0}}
    with pytest.raises(MtbenchError, match="name a part twice"):
        open_features(tiny, "a+a")


def test_a_part_without_texts_adds_zeros_as_long_as_another_reads_them(tiny: Benchmark) -> None:
    store(tiny, Pictures(), "p")
    store(tiny, Lengths(constant=24), "b")
    joined = open_features(tiny, "p+b")
    np.testing.assert_allclose(joined.texts(["is blue"]), [[0, 0, 7 / 25, 24 / 25]], rtol=1e-6)
    store(tiny, Pictures(constant=2), "q")
    with pytest.raises(MtbenchError, match="know images only"):
        open_features(tiny, "p+q").texts(["is blue"])


def test_captions_join_with_attributes_and_nothing_else(tmp_path: Path) -> None:
    tiny = write_tiny_benchmark(tmp_path, attributes={"red": ["mini"]})
    for proxy in ("caption", "attributes", "user features"):
        encoder = Lengths()
        encoder.proxy = proxy
        store(tiny, encoder, proxy.replace(" ", "-"))
    assert open_features(tiny, "caption+attributes").proxy == "caption+attributes"
    with pytest.raises(MtbenchError, match="cannot be joined: their images stand as caption and user features"):
        open_features(tiny, "caption+user-features")


def test_progress_goes_to_stderr_alone(tiny: Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    encode(tiny, Lengths(), "lengths")
    found = capsys.readouterr()
    assert found.out == ""
    assert "images" in found.err


def test_continuing_is_logged(tiny: Benchmark, caplog: pytest.LogCaptureFixture) -> None:
    store(tiny, Lengths())
    shutil.rmtree(tiny.path / "features/lengths")
    with pytest.raises(KeyboardInterrupt):
        store(tiny, Stops(), batch=3)
    with caplog.at_level(logging.INFO), pytest.raises(KeyboardInterrupt):
        Stops.blocks, kept = 0, Stops.blocks
        try:
            store(tiny, Stops(), batch=3)
        finally:
            Stops.blocks = kept
    assert "6 of 10 are there from an earlier run" in caplog.text
