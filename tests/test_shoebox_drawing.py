"""The drawn data set: pictures show attributes, statements are true, files agree, bytes follow the seed."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from builders.shoebox import generate as generating
from builders.shoebox.attributes import (
    ATTRIBUTES,
    CATEGORIES,
    CHOICES,
    HEEL_HEIGHTS,
    SHAFTS,
    SOLES,
    VALUES,
    is_valid,
    sample_attributes,
)
from builders.shoebox.captions import caption
from builders.shoebox.draw import contact_sheet, draw, svg
from builders.shoebox.feedback import differences, feedback
from builders.shoebox.generate import ShoeboxOptions, generate

SMALL = ShoeboxOptions(images=60, seed=5, width=64, height=48, workers=1)

# A pixel counts as changed when a channel moves by more than 24 of 255, about what an eye notices side by
# side.  40 such pixels at 192 x 144 are a spot of 6 x 6 (a buckle is about 10 x 9), more than any rendering
# noise: the renderer is deterministic, so two pictures of one shoe differ nowhere.
NOTICED = 24
SPOT = 40


def digest(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shoes") / "box"
    generate(root, SMALL)
    return root


def read(root: Path, name: str):  # type: ignore[no-untyped-def]
    return json.loads((root / name).read_text(encoding="utf-8"))


def test_sampled_shoes_are_valid_and_a_longer_list_starts_with_the_shorter() -> None:
    shoes = sample_attributes(700, 3)
    assert all(is_valid(shoe) for shoe in shoes)
    assert {shoe["category"] for shoe in shoes} == set(CATEGORIES)
    assert sample_attributes(95, 3) == shoes[:95]
    assert sample_attributes(95, 4) != shoes[:95]
    assert len(ATTRIBUTES) >= 10


def test_every_value_is_used_by_some_category() -> None:
    for attribute, values in VALUES.items():
        used = {value for rows in CHOICES.values() for value in rows[attribute][0]}
        assert used | {"none"} >= set(values), attribute
        assert used <= set(values), attribute


def _neighbours(rng: np.random.Generator) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """Per category and attribute, two valid shoes that differ in that attribute only."""
    found = []
    for category in CATEGORIES:
        shoes = [s for s in sample_attributes(500, 8) if s["category"] == category]
        for attribute in ATTRIBUTES:
            values = CHOICES[category][attribute][0]
            for start in rng.permutation(len(shoes)):
                shoe = shoes[int(start)]
                changed = [{**shoe, attribute: value} for value in values if value != shoe[attribute]]
                changed = [other for other in changed if is_valid(other)]
                if changed:
                    found.append((attribute, shoe, changed[int(rng.integers(len(changed)))]))
                    break
    return found


def test_each_attribute_shows_in_the_picture() -> None:
    pairs = _neighbours(np.random.default_rng(2))
    assert {attribute for attribute, _, _ in pairs} == set(ATTRIBUTES)
    for attribute, one, other in pairs:
        a = np.asarray(draw(one, width=192, height=144), dtype=np.int16)
        b = np.asarray(draw(other, width=192, height=144), dtype=np.int16)
        changed = int((np.abs(a - b).max(axis=2) > NOTICED).sum())
        assert changed >= SPOT, (attribute, one, other[attribute], changed)


def test_drawing_is_repeatable_and_takes_any_size() -> None:
    shoe = sample_attributes(1, 0)[0]
    one = draw(shoe, width=192, height=144)
    assert one.size == (192, 144) and one.mode == "RGB"
    assert one.tobytes() == draw(shoe, width=192, height=144).tobytes()
    assert draw(shoe, width=90, height=120).size == (90, 120)
    assert svg(shoe, width=400, height=300).startswith("<svg")
    sheet = contact_sheet([one, one, one], 2)
    assert sheet.size == (2 * 192 + 18, 2 * 144 + 18)
    assert sheet.getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(ValueError, match="at least one image"):
        contact_sheet([], 3)


COMPARISONS = (
    (r"(higher|taller) heel", "heel height", HEEL_HEIGHTS, 1),
    (r"(lower|shorter) heel", "heel height", HEEL_HEIGHTS, -1),
    (r"thicker sole", "sole", SOLES, 1),
    (r"thinner sole|no platform", "sole", SOLES, -1),
    (r"(taller|longer) shaft|higher collar|high-top", "shaft", SHAFTS, 1),
    (r"(shorter|lower) shaft|lower collar", "shaft", SHAFTS, -1),
)


def test_feedback_is_true() -> None:
    rng = np.random.default_rng(12)
    shoes = sample_attributes(900, 12)
    mentions: set[str] = set()
    for _ in range(4000):
        n = int(rng.integers(len(shoes)))
        m = (n // 10) * 10 + int(rng.integers(10)) if rng.random() < 0.8 else int(rng.integers(len(shoes)))
        reference, target = shoes[n], shoes[m]
        if not differences(reference, target):
            with pytest.raises(ValueError, match="do not differ"):
                feedback(reference, target, rng)
            continue
        text, said = feedback(reference, target, rng)
        assert 1 <= len(said) <= 3
        mentions |= set(said)
        for name, value in said.items():
            assert reference[name] != target[name] == value
        for pattern, name, order, sign in COMPARISONS:
            if re.search(pattern, text):
                assert name in said, text
                step = order.index(target[name]) - order.index(reference[name])
                assert step * sign > 0, (text, reference[name], target[name])
        for kind in ("laces", "zip", "buckle", "velcro"):
            if f"no {kind}" in text:
                assert target["closure"] != kind, text
        if text.startswith("the same") or text.startswith("same"):
            left = set(differences(reference, target)) - set(said)
            assert left <= {"heel shape", "heel height"}, text
    assert mentions == {"category", *ATTRIBUTES}


def test_texts_read_like_clean_english() -> None:
    rng = np.random.default_rng(4)
    shoes = sample_attributes(600, 4)
    texts = {feedback(a, b, rng)[0] for a, b in itertools.pairwise(shoes)}
    captions = {caption(shoe, rng) for shoe in shoes}
    assert len(texts) > 500 and len(captions) > 400
    for text in texts | captions:
        assert re.fullmatch(r"[A-Za-z][A-Za-z',\- ]*[a-z]", text), text
        assert "  " not in text and " ," not in text and ",," not in text, text
        assert not re.search(r"\ba [aeio]|\ban [^aeio]", text), text
        assert not re.search(r"\b(\w+) \1\b", text), text
        assert not re.search(r"\b(has|have|is|be|with|and|in)$", text), text


def test_files_agree(box: Path) -> None:
    train = (box / "train_im_names.txt").read_text(encoding="utf-8").split()
    held_out = (box / "eval_im_names.txt").read_text(encoding="utf-8").split()
    images = {path.name for path in (box / "images").iterdir()}
    attributes = read(box, "attributes.json")
    captions = read(box, "image_captions.json")
    assert len(train) + len(held_out) == SMALL.images and len(held_out) == SMALL.images // 3
    assert set(train) | set(held_out) == images == set(attributes) == set(captions)
    for name, shoe in attributes.items():
        assert is_valid(shoe)
        assert re.fullmatch(rf"img_womens_{shoe['category']}_\d+\.jpg", name)
    assert read(box, "shoebox.json")["options"]["images"] == SMALL.images
    assert not list(box.rglob("*.tmp"))


def test_pairs_stay_in_their_split_and_say_what_differs(box: Path) -> None:
    held_out = set((box / "eval_im_names.txt").read_text(encoding="utf-8").split())
    attributes = read(box, "attributes.json")
    pairs = read(box, "relative_captions_shoes.json")
    said = read(box, "feedback_attributes.json")
    assert len(pairs) == len(said) == round(SMALL.images * SMALL.pairs_per_image)
    seen = set()
    for pair, values in zip(pairs, said, strict=True):
        reference, target = pair["ReferenceImageName"], pair["ImageName"]
        assert reference != target and (reference in held_out) == (target in held_out)
        assert set(pair) == {"ImageName", "ReferenceImageName", "RelativeCaption"}
        for name, value in values.items():
            assert attributes[reference][name] != attributes[target][name] == value
        seen.add((reference, target))
    assert len(seen) == len(pairs)
    assert not seen & {(b, a) for a, b in seen}


def test_chains_of_several_steps_exist() -> None:
    from builders.shoebox.pairs import is_eval, sample_pairs

    shoes = sample_attributes(1200, 0)
    pairs = sample_pairs(shoes, 0, 0.9, 1 / 3)
    assert len(pairs) == 1080
    sources: dict[int, list[int]] = {}
    for reference, target in pairs:
        assert is_eval(reference, 1 / 3) == is_eval(target, 1 / 3)
        sources.setdefault(target, []).append(reference)

    def longest(shoe: int, path: frozenset[int]) -> int:
        steps = [longest(r, path | {r}) + 1 for r in sources.get(shoe, []) if r not in path and len(path) < 5]
        return max(steps, default=0)

    lengths = [longest(target, frozenset({target})) for target in sources]
    assert {1, 2, 3, 4} <= set(lengths)
    assert 0.3 < np.mean([length >= 2 for length in lengths]) < 0.7
    assert np.mean([len(r) == 1 for r in sources.values()]) > 0.6
    few = [len(differences(shoes[a], shoes[b])) for a, b in pairs]
    assert np.mean([gap <= 5 for gap in few]) > 0.85


def test_same_seed_same_bytes_whatever_the_workers(box: Path, tmp_path: Path) -> None:
    options = ShoeboxOptions(images=60, seed=5, width=64, height=48, workers=2)
    generate(tmp_path / "again", options)
    assert digest(tmp_path / "again") == digest(box)
    other = ShoeboxOptions(images=60, seed=6, width=64, height=48, workers=1)
    generate(tmp_path / "other", other)
    first, second = digest(box), digest(tmp_path / "other")
    assert not any(first[name] == second[name] for name in first if name in second)


def test_interrupted_generation_resumes(box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = generating.draw
    drawn: list[int] = []

    def failing(*args, **kwargs):  # type: ignore[no-untyped-def]
        if len(drawn) == 25:
            raise KeyboardInterrupt
        drawn.append(1)
        return real(*args, **kwargs)

    root = tmp_path / "box"
    monkeypatch.setattr(generating, "draw", failing)
    with pytest.raises(KeyboardInterrupt):
        generate(root, SMALL)
    assert not root.exists()
    assert len(list((tmp_path / "box.partial" / "images").glob("*.jpg"))) == 25
    drawn.clear()
    monkeypatch.setattr(generating, "draw", lambda *a, **k: drawn.append(1) or real(*a, **k))
    generate(root, SMALL)
    assert len(drawn) == SMALL.images - 25
    assert digest(root) == digest(box)
    assert not (tmp_path / "box.partial").exists()


def test_a_partial_folder_of_other_options_is_not_reused(box: Path, tmp_path: Path) -> None:
    stale = tmp_path / "box.partial" / "images"
    stale.mkdir(parents=True)
    name = next((box / "images").iterdir()).name
    (stale / name).write_bytes(b"stale")
    generate(tmp_path / "box", SMALL)
    assert digest(tmp_path / "box") == digest(box)


def test_an_existing_folder_is_kept(box: Path, tmp_path: Path) -> None:
    before = digest(box)
    generate(box, SMALL)
    assert digest(box) == before
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="another folder"):
        generate(tmp_path, SMALL)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"images": 39}, "images"),
        ({"seed": -1}, "seed"),
        ({"pairs_per_image": 0.0}, "pairs_per_image"),
        ({"pairs_per_image": float("nan")}, "pairs_per_image"),
        ({"width": 8}, "width"),
        ({"eval_share": 1.0}, "eval_share"),
        ({"images": 40, "eval_share": 0.01}, "empty"),
        ({"workers": -1}, "workers"),
    ],
)
def test_options_are_checked(wrong: dict[str, float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        ShoeboxOptions(**wrong)  # type: ignore[arg-type]
