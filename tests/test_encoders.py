"""The encoders that need no network of neurons: words, pixels, and vectors a user brings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow
from tiny import CAPTIONS, write_tiny_benchmark

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image
from mtbench.data.images import index_files
from mtbench.features.content import all_texts
from mtbench.features.imaging import files_of
from mtbench.features.pixels import Pixels
from mtbench.features.precomputed import Precomputed
from mtbench.features.store import build_encoder, encode, open_features
from mtbench.features.tables import read_vectors
from mtbench.features.tfidf import TfIdf

IDS = sorted(i for rows in CAPTIONS.values() for i in rows)


def dress(image_id: str, caption: str | None = None, *words: str, path: str | None = None) -> Image:
    return Image(image_id, "dress", caption, words, path)


def cosines(left: Any, right: Any) -> Any:
    return np.asarray(left) @ np.asarray(right).T


# tfidf


def test_tfidf_finds_the_caption_that_shares_words_with_a_text() -> None:
    encoder = TfIdf()
    images = [dress("a", "a red dress"), dress("b", "a blue skirt"), dress("c", "green shoes with dots")]
    encoder.fit(images, ["is red", "has dots"])
    vectors = encoder.encode_images(images, None)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert cosines(encoder.encode_texts(["blue", "with dots"]), vectors).argmax(axis=1).tolist() == [1, 2]


def test_tfidf_gives_zeros_to_an_image_without_words_and_to_unknown_words() -> None:
    encoder = TfIdf()
    encoder.fit([dress("a", "red"), dress("b", "blue")], [])
    assert not encoder.encode_images([dress("c"), dress("d", "")], None).any()
    assert not encoder.encode_texts(["zebra"]).any()


def test_tfidf_never_learns_a_word_of_the_test_split(tmp_path: Path) -> None:
    encoder = TfIdf()
    features = encode(write_tiny_benchmark(tmp_path), encoder, "tfidf", progress=False)
    words = set(" ".join(encoder.vocabulary).split())
    assert words == {"red", "dress", "blue", "long", "shirt", "is", "longer"}
    assert not features.texts(["zebra striped"]).any()
    assert features.images(["t3"]).any() == np.False_


def test_tfidf_has_no_more_dimensions_than_its_texts_span() -> None:
    encoder = TfIdf(dims=384)
    encoder.fit([dress("a", "red"), dress("b", "blue"), dress("c", "red")], [])
    assert encoder.encode_texts(["red", "blue"]).shape == (2, 2)
    small = TfIdf(dims=1)
    small.fit([dress("a", "red"), dress("b", "blue blue"), dress("c", "red")], [])
    assert small.encode_texts(["red"]).tolist() == [[1]]


def test_tfidf_reads_attributes_or_both_and_declares_it() -> None:
    images = [dress("a", "red", "mini"), dress("b", "blue", "maxi")]
    for text, words in (
        ("attributes", {"mini", "maxi"}),
        ("caption+attributes", {"red", "mini", "blue", "maxi"}),
    ):
        encoder: Any = build_encoder("mtbench.features.tfidf:TfIdf", {"text": text})
        encoder.fit(images, [])
        assert encoder.proxy == text
        assert set(" ".join(encoder.vocabulary).split()) == words


def test_tfidf_gives_the_same_bytes_twice_and_makes_itself_again_for_new_texts(tmp_path: Path) -> None:
    tiny = write_tiny_benchmark(tmp_path)
    first = encode(tiny, TfIdf(dims=3), "a", progress=False)
    second = encode(tiny, TfIdf(dims=3), "b", progress=False)
    assert (first.path / "images.npy").read_bytes() == (second.path / "images.npy").read_bytes()
    found = open_features(tiny, "a").texts(["a new blue shirt"])
    fresh = TfIdf(dims=3)
    fresh.fit([tiny.images[i] for i in ("blue", "long", "red", "shirt")], ["is blue", "is longer"])
    assert found.tolist() == fresh.encode_texts(["a new blue shirt"]).tolist()


def test_a_new_text_does_not_make_tfidf_learn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = write_tiny_benchmark(tmp_path)
    path = encode(tiny, TfIdf(dims=3), "a", progress=False).path
    monkeypatch.setattr(TfIdf, "fit", lambda *_: pytest.fail("it learns again"))
    assert open_features(tiny, "a").texts(["a new blue shirt"]).any()
    (path / "learned" / "weights.npy").write_bytes(b"no array")
    with pytest.raises(MtbenchError, match=r"learned is damaged .* Encode again: mtbench encode"):
        open_features(tiny, "a").texts(["a new blue shirt"])
    np.save(path / "learned" / "weights.npy", np.array([{"code": 1}]), allow_pickle=True)
    with pytest.raises(MtbenchError, match=r"learned is damaged .*allow_pickle"):
        open_features(tiny, "a").texts(["a new blue shirt"])
    np.save(path / "learned" / "weights.npy", np.ones(2))
    with pytest.raises(MtbenchError, match="learned is damaged"):
        open_features(tiny, "a").texts(["a new blue shirt"])


def test_tfidf_says_what_is_wrong_with_its_options_and_with_no_words() -> None:
    with pytest.raises(MtbenchError, match="'captions' is not one of caption, attributes, caption"):
        build_encoder("mtbench.features.tfidf:TfIdf", {"text": "captions"})
    with pytest.raises(MtbenchError, match="dims must be at least 1"):
        build_encoder("mtbench.features.tfidf:TfIdf", {"dims": "0"})
    with pytest.raises(MtbenchError, match="no words to learn vectors from"):
        TfIdf().fit([dress("a")], ["?"])
    with pytest.raises(MtbenchError, match="call fit first"):
        TfIdf().encode_texts(["red"])


# pixels


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """One 40 x 60 picture for each image of the tiny benchmark: a plain colour with a black bar."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, image_id in enumerate(IDS):
        picture = Pillow.new("RGB", (40, 60), (number * 25, 200 - number * 20, 128))
        picture.paste((0, 0, 0), (number * 3, 0, number * 3 + 5, 60))
        picture.save(folder / f"{image_id}.png")
    return folder


def test_pixels_describe_every_image_the_same_way_twice(tmp_path: Path, photos: Path) -> None:
    tiny = write_tiny_benchmark(tmp_path / "tiny", images=photos)
    features = encode(tiny, Pixels(), "pixels", progress=False)
    assert (features.proxy, features.reads_text, features.dim) == ("image", False, 3 * 8 * 9 + 7 * 7 * 4 * 9)
    vectors = features.images(IDS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    again = Pixels().encode_images([tiny.images[i] for i in IDS], photos)
    assert again.tobytes() == vectors.tobytes()


def test_pixels_put_similar_colours_and_shapes_close(tmp_path: Path) -> None:
    for name, colour in (("red", (200, 0, 0)), ("rose", (190, 10, 10)), ("blue", (0, 0, 200))):
        Pillow.new("RGB", (50, 50), colour).save(tmp_path / f"{name}.png")
    vectors = Pixels().encode_images([dress(n, path=f"{n}.png") for n in ("red", "rose", "blue")], tmp_path)
    near, far = cosines(vectors[:1], vectors[1:])[0]
    assert near > 0.8 > far


def test_pixels_read_every_kind_of_picture_as_rgb(tmp_path: Path) -> None:
    Pillow.new("RGB", (50, 50), "white").save(tmp_path / "rgb.png")
    Pillow.new("RGBA", (50, 50), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    Pillow.new("L", (50, 50), 255).save(tmp_path / "grey.jpg")
    Pillow.new("P", (50, 50), 0).convert("RGB").point(lambda _: 255).save(tmp_path / "gif.gif")
    images = [dress(name, path=name) for name in ("rgb.png", "clear.png", "grey.jpg", "gif.gif")]
    vectors = Pixels(size=32).encode_images(images, tmp_path)
    np.testing.assert_allclose(vectors, vectors[[0, 0, 0, 0]], atol=1e-6)


def test_pixels_name_all_files_that_are_missing_before_they_start(tmp_path: Path, photos: Path) -> None:
    for name in ("t1", "red"):
        (photos / f"{name}.png").unlink()
    tiny = write_tiny_benchmark(tmp_path / "tiny", images=photos)
    with pytest.raises(MtbenchError) as caught:
        encode(tiny, Pixels(), "pixels", progress=False)
    assert str(caught.value).splitlines() == [
        f"images in {photos.resolve()}: 2 problems",
        "  red: red.png does not exist",
        "  t1: t1.png does not exist",
        "Build the benchmark again with --images DIR",
    ]


def test_pixels_name_all_broken_files_even_those_of_later_blocks(tmp_path: Path, photos: Path) -> None:
    (photos / "blue.png").write_text("<html>not found</html>")
    whole = (photos / "t2.png").read_bytes()
    (photos / "t2.png").write_bytes(whole[: len(whole) // 2])
    (photos / "d3.png").write_bytes(b"")
    tiny = write_tiny_benchmark(tmp_path / "tiny", images=photos)
    with pytest.raises(MtbenchError) as caught:
        encode(tiny, Pixels(), "pixels", progress=False, batch=2)
    message = str(caught.value)
    assert "3 problems" in message
    assert "blue: blue.png is none of JPEG" in message
    assert "d3: d3.png is none of JPEG" in message
    assert "t2: t2.png cannot be read as an image" in message


def test_pixels_refuse_a_picture_that_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Pillow.new("RGB", (50, 50)).save(tmp_path / "a.png")
    for limit in (2000, 1000):  # Pillow warns above its limit and raises above twice that
        monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(MtbenchError, match=f"a: a.png has more than {limit:,} pixels"):
            Pixels().encode_images([dress("a", path="a.png")], tmp_path)


def test_a_link_may_not_lead_out_of_the_image_folder(tmp_path: Path) -> None:
    inside, secret = tmp_path / "imgs", tmp_path / "secret.png"
    inside.mkdir()
    Pillow.new("RGB", (4, 4)).save(secret)
    Pillow.new("RGB", (4, 4)).save(inside / "real.png")
    (inside / "a.png").symlink_to(secret)
    (inside / "b.png").symlink_to(inside / "real.png")
    (tmp_path / "link").symlink_to(inside)
    for folder in (inside, tmp_path / "link"):
        with pytest.raises(MtbenchError, match=r": a: a\.png is a link that leads out"):
            files_of([dress("a", path="a.png"), dress("b", path="b.png")], folder)
        with pytest.raises(MtbenchError, match=r": a: a\.png is a link that leads out"):
            index_files(folder, {"a", "b"}, progress=False)
        assert list(index_files(folder, {"b"}, progress=False)) == ["b"]


@pytest.mark.parametrize("place", ["/", "../../../../../../../../../../..", "", 7, None, ["a"]])
def test_the_image_folder_of_a_benchmark_is_never_the_whole_file_system(tmp_path: Path, place: object) -> None:
    tiny = write_tiny_benchmark(tmp_path)
    (tmp_path / "local.json").write_text(json.dumps({"images": place}))
    with pytest.raises(MtbenchError, match=r"local.json names no image folder: .*Delete it"):
        _ = tiny.image_folder


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "a/../../b.png"])
def test_a_path_may_not_lead_out_of_the_image_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(MtbenchError, match="leads out of the image folder"):
        Pixels().encode_images([dress("a", path=path)], tmp_path)


def test_without_images_pixels_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(MtbenchError, match=r"knows no image folder. Build the benchmark again with --images DIR"):
        encode(write_tiny_benchmark(tmp_path), Pixels(), "pixels", progress=False)
    with pytest.raises(MtbenchError, match="a: the benchmark names no file"):
        Pixels().encode_images([dress("a")], tmp_path)


def test_changed_pixels_make_other_features(tmp_path: Path, photos: Path) -> None:
    tiny = write_tiny_benchmark(tmp_path / "tiny", images=photos)
    encode(tiny, Pixels(), "pixels", progress=False)
    Pillow.new("RGB", (40, 60), "green").save(photos / "red.png")
    with pytest.raises(MtbenchError, match="--overwrite"):
        encode(tiny, Pixels(), "pixels", progress=False)


def test_without_scikit_image_pixels_say_what_to_install(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    tiny = write_tiny_benchmark(tmp_path / "tiny", images=photos)
    with pytest.raises(MtbenchError, match=r'pip install "mtbench\[pixels\]"'):
        encode(tiny, Pixels(), "pixels", progress=False)


# precomputed


def matrix(rows: int) -> Any:
    return np.arange(rows * 2, dtype=np.float64).reshape(rows, 2)


def write(path: Path, ids: list[str], features: Any, *, key: str = "image_id") -> Path:
    """Vectors in the form that the ending of ``path`` says."""
    if path.suffix == ".npz":
        np.savez(path, ids=np.array(ids), features=features)
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({key: ids, "features": [list(row) for row in features]}), path)
    else:
        from safetensors.numpy import save_file

        save_file({"features": np.asarray(features)}, path, metadata={"ids": json.dumps(ids)})
    return path


@pytest.mark.parametrize("ending", [".npz", ".safetensors", ".parquet"])
def test_vectors_are_looked_up_by_id_in_any_form(tmp_path: Path, ending: str) -> None:
    tiny = write_tiny_benchmark(tmp_path / "tiny")
    texts = all_texts(tiny)
    encoder = Precomputed(
        file=write(tmp_path / f"images{ending}", IDS[::-1], matrix(10)),
        texts=write(tmp_path / f"texts{ending}", texts, matrix(len(texts)), key="text"),
    )
    features = encode(tiny, encoder, "mine", progress=False)
    assert (features.proxy, features.reads_text) == ("user features", True)
    assert features.images([IDS[0], IDS[9]]).tolist() == [[18, 19], [0, 1]]
    assert features.texts([texts[2]]).tolist() == [[4, 5]]
    with pytest.raises(MtbenchError, match="'a new text': no vector for this text"):
        open_features(tiny, "mine").texts(["a new text", "another"])


def test_one_tensor_for_each_id_is_read_too(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}, tmp_path / "f.safetensors")
    assert {k: v.tolist() for k, v in read_vectors(tmp_path / "f.safetensors").items()} == {
        "a": [1, 2],
        "b": [3, 4],
    }


def test_without_texts_the_features_know_images_only(tmp_path: Path) -> None:
    tiny = write_tiny_benchmark(tmp_path / "tiny")
    features = encode(tiny, Precomputed(file=write(tmp_path / "f.npz", IDS, matrix(10))), "mine", progress=False)
    assert not features.reads_text
    assert list(tmp_path.glob("tiny/features/mine/texts*")) == []


def test_all_missing_ids_are_named_and_those_too_many_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tiny = write_tiny_benchmark(tmp_path / "tiny")
    file = write(tmp_path / "f.npz", [*IDS[2:], "x", "y", "z"], matrix(11))
    with pytest.raises(MtbenchError, match="2 problems") as caught:
        encode(tiny, Precomputed(file=file), "mine", progress=False, batch=1)
    assert str(caught.value).count("no vector for this image of the benchmark") == 2
    file = write(tmp_path / "g.npz", [*IDS, "x", "y", "z"], matrix(13))
    encode(tiny, Precomputed(file=file), "mine", progress=False)
    assert "3 vectors are for ids that the benchmark does not have" in caplog.text


def test_missing_texts_say_where_the_list_is(tmp_path: Path) -> None:
    tiny = write_tiny_benchmark(tmp_path / "tiny")
    file = write(tmp_path / "f.npz", IDS, matrix(10))
    texts = write(tmp_path / "t.npz", ["is blue"], matrix(1))
    with pytest.raises(MtbenchError, match=r"8 problems(.|\n)*all_texts"):
        encode(tiny, Precomputed(file=file, texts=texts), "mine", progress=False)


def test_images_and_texts_must_have_one_width(tmp_path: Path) -> None:
    tiny = write_tiny_benchmark(tmp_path / "tiny")
    texts = all_texts(tiny)
    encoder = Precomputed(
        file=write(tmp_path / "f.npz", IDS, matrix(10)),
        texts=write(tmp_path / "t.npz", texts, np.ones((len(texts), 3))),
    )
    with pytest.raises(MtbenchError, match=r"different widths: \[2, 3\]"):
        encode(tiny, encoder, "mine", progress=False)


def test_every_row_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    rows = [[1.0, 2.0], [1.0], [float("nan"), 0.0], [3.0, 4.0], [5.0, 6.0], [1e300, 0.0]]
    file = tmp_path / "f.parquet"
    pq.write_table(pa.table({"image_id": ["a", "b", "c", "a", "d", "e"], "features": rows}), file)
    with pytest.raises(MtbenchError) as caught:
        read_vectors(file)
    assert str(caught.value).splitlines() == [
        f"{file}: 4 problems",
        "  a: appears 2 times",
        "  c: has values that are not finite (NaN or infinite)",
        "  e: has values that are not finite (NaN or infinite)",
        "  b: has 1 values, where most have 2",
    ]


def test_null_ids_null_rows_and_null_numbers_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "f.parquet"
    pq.write_table(pa.table({"image_id": ["a", None, "c"], "features": [[1.0], [2.0], None]}), file)
    with pytest.raises(MtbenchError, match="2 problems"):
        read_vectors(file)
    pq.write_table(pa.table({"image_id": ["a", "b"], "features": [[1.0], [None]]}), file)
    with pytest.raises(MtbenchError, match="b: has values that are not finite"):
        read_vectors(file)


class Bomb:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (Path.touch, (self.path,))  # type: ignore[return-value]


def test_a_hostile_npz_with_pickled_objects_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    target = tmp_path / "ran"
    file = tmp_path / "f.npz"
    bomb = np.array([Bomb(target)], dtype=object)
    np.savez(file, ids=bomb, features=np.ones((1, 2)), allow_pickle=True)
    with pytest.raises(MtbenchError, match="Ids must be text"):
        read_vectors(file)
    np.savez(file, ids=np.array(["a"]), features=bomb, allow_pickle=True)
    with pytest.raises(MtbenchError, match="features a matrix of numbers"):
        read_vectors(file)
    (tmp_path / "p.npz").write_bytes(b"\x80\x04.")
    with pytest.raises(MtbenchError, match=r"is no .npz file"):
        read_vectors(tmp_path / "p.npz")
    assert not target.exists()


def test_files_of_another_form_are_answered_with_the_form_wanted(tmp_path: Path) -> None:
    cases: list[tuple[str, Any, str]] = [
        ("f.csv", lambda p: p.write_text(""), "no vector file ending named '.csv'"),
        ("f.npz", lambda p: np.savez(p, names=np.ones(2)), "has no array features and no array ids"),
        ("g.npz", lambda p: np.savez(p, ids=np.array(["a"]), features=np.ones((2, 2))), "1 ids, but 2 rows"),
        ("h.npz", lambda p: np.savez(p, ids=np.array([], str), features=np.ones((0, 2))), "holds no vectors"),
        ("i.npz", lambda p: np.savez(p, ids=np.array([1]), features=np.ones((1, 2))), "1: is not a text id"),
        ("f.parquet", lambda p: p.write_text("no"), "cannot be read"),
        (
            "g.parquet",
            lambda p: pq.write_table(pa.table({"id": ["a"]}), p),
            "no column image_id and no column",
        ),
        ("f.safetensors", lambda p: p.write_bytes(b"\xff" * 20), "cannot be read"),
    ]
    for name, make, message in cases:
        make(tmp_path / name)
        with pytest.raises(MtbenchError, match=message):
            read_vectors(tmp_path / name)
    with pytest.raises(MtbenchError, match="does not exist"):
        read_vectors(tmp_path / "none.npz")
    with pytest.raises(MtbenchError, match="does not exist"):
        Precomputed(file=tmp_path / "none.npz").settings()
