"""The dial: what a dialogue demands of memory is known, exactly, and whoever reads less cannot do better."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as Picture

from builders.shoebox import Shoebox
from builders.shoebox import generate as generating
from builders.shoebox.blocks import KINDS, hidden_of
from builders.shoebox.dial import DialOptions, generate_dial
from builders.shoebox.draw_palette import BACKDROPS
from builders.shoebox.families import NAMES, design_for, look, shelves
from builders.shoebox.oracle import LastTurnOracle, Oracle
from builders.shoebox.phrases import FILLERS, PHRASES, Said, caption, last, meaning, wish
from builders.shoebox.vocabulary import ATTRIBUTES, VALUES, is_valid
from mtbench.cli import main
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Transaction
from mtbench.data.benchmark import Benchmark, load
from mtbench.data.build import BuildOptions, build
from mtbench.data.truth import Dialogue
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.measures import per_transaction
from mtbench.evaluation.ranker import Query, Ranker
from mtbench.models.protocol import Catalogue

SHARES = (0.0, 0.5, 1.0)
SMALL = {"size": 800, "seed": 4, "dialogues": 400, "longest": 5, "no_pictures": True}
"""Three discriminating attributes of four values each: half of three is one and two in turn."""

M, V = 3, 4


def make(folder: Path, **options: Any) -> Benchmark:
    extra = {**SMALL, **options}
    return build("shoebox", Shoebox(), folder / "raw", folder / "out", BuildOptions(extra=extra), progress=False)


@pytest.fixture(scope="module")
def dials(tmp_path_factory: pytest.TempPathFactory) -> dict[float, Benchmark]:
    folder = tmp_path_factory.mktemp("dials")
    return {share: make(folder / str(share), history_share=share) for share in SHARES}


def pairs_of(benchmark: Benchmark, split: str = "test") -> list[tuple[Transaction, Dialogue]]:
    assert benchmark.truth is not None
    return [(t, benchmark.truth.dialogues[t.transaction_id]) for t in benchmark.transactions(split)]


def everything(dials: dict[float, Benchmark]) -> Iterator[tuple[float, dict[str, Any], Transaction, Dialogue]]:
    for share, benchmark in dials.items():
        assert benchmark.truth is not None
        for split in ("train", "dev", "test"):
            for transaction, dialogue in pairs_of(benchmark, split):
                yield share, dict(benchmark.truth.attributes), transaction, dialogue


def wrong(shown: dict[str, str], target: dict[str, str]) -> set[str]:
    return {name for name in NAMES if shown[name] != target[name]}


def hits(benchmark: Benchmark, model: Any) -> dict[str, Any]:
    """R@5 and R@8 of each test transaction, expected over ties."""
    gallery = benchmark.gallery("test", "shoebox")
    catalogue = Catalogue(benchmark.images, truth=lambda: benchmark.truth)
    queries = [
        Query(history, transaction.target)
        for history, transaction in zip(benchmark.histories("test"), benchmark.transactions("test"), strict=True)
    ]
    return per_transaction(Ranker(model, {"shoebox": gallery}, catalogue).positions(queries), ["R@5", "R@8"])


# The design


def test_the_last_reference_is_wrong_in_every_discriminating_attribute_and_right_in_all_others(dials) -> None:
    for _, looks, transaction, dialogue in everything(dials):
        shown, target = looks[transaction.turns[-1].reference], looks[transaction.target]
        assert len(wrong(shown, target)) == M
        assert dialogue.requests[-1].items() <= target.items()
        assert dialogue.requests[-1].keys() <= wrong(shown, target)


def test_every_hidden_wish_is_said_before_violated_by_the_last_reference_and_not_said_again(dials) -> None:
    for _, looks, transaction, dialogue in everything(dials):
        shown, target = looks[transaction.turns[-1].reference], looks[transaction.target]
        hidden = wrong(shown, target) - dialogue.requests[-1].keys()
        said = {name: value for turn in dialogue.requests[:-1] for name, value in turn.items()}
        if dialogue.kind == "rollback":  # what is not said, the first image has
            first = looks[transaction.turns[0].reference]
            restored = {name for name in hidden if first[name] == target[name]}
            assert len(restored) == (len(hidden) + 1) // 2
            hidden -= restored
            assert not restored & said.keys()
        assert {name: said[name] for name in hidden} == {name: target[name] for name in hidden}
        words = transaction.turns[-1].feedback[0]
        assert not [name for name in hidden for value in VALUES[name] if PHRASES.get((name, value), "?") in words]


def test_a_text_asks_for_what_the_truth_says_it_does(dials) -> None:
    for _, _, transaction, dialogue in everything(dials):
        for turn, request in zip(transaction.turns, dialogue.requests, strict=True):
            assert meaning(turn.feedback[0]).wishes == request
        assert meaning(transaction.turns[-1].feedback[0]).back == (dialogue.kind == "rollback")


def test_an_image_lacks_what_is_asked_for_and_the_next_one_has_it(dials) -> None:
    for _, looks, transaction, dialogue in everything(dials):
        for number, (turn, request) in enumerate(zip(transaction.turns, dialogue.requests, strict=True)):
            assert not request.items() & looks[turn.reference].items()
            if number < len(transaction.turns) - 2 and dialogue.kind != "reordered":
                assert request.items() <= looks[turn.target].items()


def test_no_earlier_turn_shows_the_target_or_anything_that_the_last_turn_allows(dials) -> None:
    for _, looks, transaction, dialogue in everything(dials):
        shown, target = looks[transaction.turns[-1].reference], looks[transaction.target]
        free = wrong(shown, target)
        earlier = [turn.reference for turn in transaction.turns[:-1]]
        assert len({*earlier, transaction.turns[-1].reference, transaction.target}) == len(transaction.turns) + 1
        for image in earlier[dialogue.kind == "rollback" :]:
            allowed = wrong(looks[image], shown) == free and dialogue.requests[-1].items() <= looks[image].items()
            assert not allowed


def test_at_zero_no_earlier_turn_holds_an_attribute_word(dials) -> None:
    words = {word for phrase in PHRASES.values() for word in phrase.split()} - {"a", "an", "no"}
    for transaction, dialogue in pairs_of(dials[0.0]):
        assert dialogue.kind in ("plain", "reordered")
        for turn in transaction.turns[:-1]:
            assert turn.feedback[0] in FILLERS
            assert not words & set(turn.feedback[0].lower().strip(".?").replace(",", "").split())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.3, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("attributes", [3, 4])
def test_blocks_hide_the_floor_or_the_ceiling_and_the_share_on_average(share: float, attributes: int) -> None:
    found = [hidden_of(block, share, attributes) for block in range(200)]
    assert sum(found) / 200 == pytest.approx(share * attributes)
    assert {*found} <= {int(share * attributes + 1e-9), int(np.ceil(share * attributes - 1e-9))}


def test_families_of_all_splits_stay_two_attributes_apart_and_copies_have_another_background() -> None:
    made = shelves(3072, 1)
    assert design_for(3072) == (4, 4)
    families = [family for shelf in made.values() for family in shelf.families]
    assert all(one.apart(other) >= 2 for one, other in combinations(families, 2))
    assert {family.copies for family in families} == {1, 2}
    for shelf in made.values():
        for images in shelf.looking.values():
            assert is_valid(shelf.shoes[images[0]])
            assert len({shelf.scenes[image] % len(BACKDROPS) for image in images}) == len(images)
            assert len(images) == shelf.families[shelf.family[images[0]]].copies
    assert sum(len(shelf.shoes) for shelf in made.values()) <= 3072
    looks = [look for shelf in made.values() for look in shelf.looking]
    assert len(looks) == len(set(looks))


# Blocks


def consistent(looks: dict[str, Any], gallery: Sequence[str], transaction: Transaction, dialogue: Dialogue) -> set[str]:
    """What the last turn allows, by looking at every candidate."""
    shown = looks[transaction.turns[-1].reference]
    alone = [wrong(shown, looks[image]) for image in gallery]
    free = set().union(*(names for names in alone if len(names) == 1))
    asked = dialogue.requests[-1].items()
    return {i for i, names in zip(gallery, alone, strict=True) if names == free and asked <= looks[i].items()}


def test_a_last_turn_comes_with_every_target_it_allows_equally_often_for_each_kind_and_length(dials) -> None:
    for benchmark in dials.values():
        assert benchmark.truth is not None
        looks, gallery = dict(benchmark.truth.attributes), benchmark.gallery("test", "shoebox").image_ids
        groups: dict[Any, list[tuple[Transaction, Dialogue]]] = defaultdict(list)
        for transaction, dialogue in pairs_of(benchmark):
            end = transaction.turns[-1]
            groups[dialogue.kind, len(transaction.turns), end.reference, end.feedback].append((transaction, dialogue))
        for group in groups.values():
            allowed = consistent(looks, gallery, *group[0])
            assert {dialogue.last_turn for _, dialogue in group} == {len(allowed)}
            counts = Counter(transaction.target for transaction, _ in group)
            assert counts.keys() == allowed
            assert len({*counts.values()}) == 1


@pytest.mark.parametrize("share", SHARES)
def test_the_last_turn_model_reaches_its_bound_exactly(share: float, dials) -> None:
    found = hits(dials[share], LastTurnOracle())
    for cutoff in (5, 8):
        bound = [min(1, cutoff / dialogue.last_turn) for _, dialogue in pairs_of(dials[share]) if dialogue.last_turn]
        assert found[f"R@{cutoff}"] == pytest.approx(bound, abs=1e-12)
        assert f"R@{cutoff} {np.mean(bound):.1%}" in dials[share].manifest["notes"][1]


@pytest.mark.parametrize("share", SHARES)
def test_the_oracle_reaches_the_ceiling_on_every_kind(share: float, dials) -> None:
    found = hits(dials[share], Oracle())
    kinds = Counter(dialogue.kind for _, dialogue in pairs_of(dials[share]))
    assert kinds.keys() == ({*KINDS} if share else {"plain", "reordered"})
    for cutoff in (5, 8):
        ceiling = [min(1, cutoff / len(dialogue.relevant)) for _, dialogue in pairs_of(dials[share])]
        assert found[f"R@{cutoff}"] == pytest.approx(ceiling, abs=1e-12)
    assert {len(dialogue.relevant) for _, dialogue in pairs_of(dials[share])} == {1, 2}


class LearnedByHeart:
    """Knows the targets of every last turn from the test answers themselves: the utmost without history."""

    def __init__(self, transactions: Sequence[Transaction]) -> None:
        self.known: dict[Any, Counter[str]] = defaultdict(Counter)
        for transaction in transactions:
            end = transaction.turns[-1]
            self.known[end.reference, end.feedback[0]][transaction.target] += 1

    def score(self, histories: Any, image_ids: Sequence[str], catalogue: Catalogue) -> Any:
        scores = np.zeros((len(histories), len(image_ids)), np.float32)
        column = {image: number for number, image in enumerate(image_ids)}
        for row, history in enumerate(histories):
            best = self.known[history.references[-1], history.feedback[-1]].most_common(8)
            for place, (image, _) in enumerate(best):
                scores[row, column[image]] = 9 - place
        return scores


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_last_turn_model_that_learned_the_answers_by_heart_cannot_beat_the_bound(share: float, dials) -> None:
    pairs = pairs_of(dials[share])
    found = hits(dials[share], LearnedByHeart(dials[share].transactions("test")))
    cells = defaultdict(list)
    for row, (transaction, dialogue) in enumerate(pairs):
        cells[dialogue.kind, len(transaction.turns)].append(row)
    for cutoff in (5, 8):
        bound = np.array([min(1, cutoff / (dialogue.last_turn or 1)) for _, dialogue in pairs])
        assert np.mean(found[f"R@{cutoff}"]) <= bound.mean() + 1e-12
        if share == 1.0:
            assert bound.mean() < 0.4
        for rows in cells.values():
            assert np.mean(found[f"R@{cutoff}"][rows]) <= bound[rows].mean() + 1e-12


# Kinds


def test_a_superseded_wish_is_replaced_later_and_no_other_kind_contradicts_itself(dials) -> None:
    replaced_by_the_last_turn = Counter[bool]()
    for _, looks, transaction, dialogue in everything(dials):
        assert dialogue.contradicts_itself == (dialogue.kind == "supersede")
        assert transaction.flags[0] == f"kind-{dialogue.kind}"
        if dialogue.kind == "supersede":
            asked = [(n, name, value) for n, turn in enumerate(dialogue.requests) for name, value in turn.items()]
            (name,) = {a for a, n in Counter(name for _, name, _ in asked).items() if n == 2}
            (_, _, old), (turn, _, new) = [step for step in asked if step[1] == name]
            assert old != new == looks[transaction.target][name]
            assert old != looks[transaction.turns[-1].reference][name]
            replaced_by_the_last_turn[turn == len(transaction.turns) - 1] += 1
    assert set(replaced_by_the_last_turn) == {True, False}


def test_after_a_rollback_the_last_reference_would_be_the_wrong_base(dials) -> None:
    for _, looks, transaction, dialogue in everything(dials):
        if dialogue.kind == "rollback":
            said = {name: value for turn in dialogue.requests for name, value in turn.items()}
            assert {**looks[transaction.turns[0].reference], **said} == looks[transaction.target]
            assert {**looks[transaction.turns[-1].reference], **said} != looks[transaction.target]


def test_a_reordered_dialogue_has_an_original_with_the_same_turns_in_another_order(dials) -> None:
    for benchmark in dials.values():
        pairs = pairs_of(benchmark)
        originals = {t.source_pairs: t for t, dialogue in pairs if dialogue.kind == "plain"}
        copies = [t for t, dialogue in pairs if dialogue.kind == "reordered"]
        assert copies
        for one in copies:
            other = originals[one.source_pairs]
            said = [[(turn.reference, turn.feedback) for turn in t.turns] for t in (one, other)]
            assert said[0][:-1] != said[1][:-1]
            assert sorted(said[0][:-1]) == sorted(said[1][:-1])
            assert (said[0][-1], one.target) == (said[1][-1], other.target)


def test_dialogues_of_two_to_eight_turns_survive_and_each_length_has_its_share(tmp_path: Path) -> None:
    found = make(tmp_path, history_share=0.5, longest=8, dialogues=600)
    for split, part in found.manifest["statistics"]["splits"].items():
        assert [*part["turns"]] == [*"2345678"], split
        assert max(part["turns"].values()) < 3 * min(part["turns"].values())
    assert found.manifest["chains"] == {"policy": "released", "min_turns": 2, "max_turns": 8}
    assert len(found.transactions("train")) >= len(found.transactions("test")) >= 600
    oracle = hits(found, Oracle())
    assert oracle["R@5"].min() == 1


def test_shares_between_mix_the_floor_and_the_ceiling_and_rollback_waits_for_a_hidden_wish(tmp_path: Path) -> None:
    found = make(tmp_path, history_share=0.1)
    hidden = {M - len(dialogue.requests[-1]) for _, dialogue in pairs_of(found)}
    assert hidden == {0, 1}
    assert {d.kind for _, d in pairs_of(found)} == {*KINDS}
    assert all(len(d.requests[-1]) == M - 1 for _, d in pairs_of(found) if d.kind == "rollback")


# Words


def test_every_phrase_is_the_only_one_of_its_meaning_and_is_understood() -> None:
    rng = np.random.default_rng(0)
    assert len({*PHRASES.values()}) == len(PHRASES)
    for name, value in PHRASES:
        for changed in (True, False):
            assert meaning(wish({name: value}, rng, changed=changed)) == Said({name: value})
        for back in (True, False):
            assert meaning(last({name: value}, {}, rng, back=back)) == Said({name: value}, back=back)
            assert meaning(last({}, {"toe": "open"}, rng, back=back)) == Said({}, back=back)
    with pytest.raises(ValueError, match="no text of the shoebox dial"):
        meaning("I want a plaid upper.")


def test_captions_name_every_attribute_in_the_words_of_the_wishes() -> None:
    for shoe in shelves(800, 0)["eval"].shoes[:50]:
        text = caption(shoe)
        missing = [name for name in ATTRIBUTES if PHRASES.get((name, shoe[name]), "with") not in text]
        assert not missing, text


# Files


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_options_give_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    first, again = (make(tmp_path / name, history_share=0.5, dialogues=40) for name in ("first", "again"))
    assert digest(again.path) == digest(first.path)
    assert digest(tmp_path / "again" / "raw") == digest(tmp_path / "first" / "raw")
    assert make(tmp_path / "other", history_share=0.5, dialogues=40, seed=5).revision != again.revision


def test_an_interrupted_drawing_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def stub(shoe: Any, *, width: int, height: int, scene: int) -> Picture.Image:
        if len(drawn) == 25:
            raise KeyboardInterrupt
        drawn.append(scene)
        return Picture.new("RGB", (4, 3), (scene % 251, len(shoe), 0))

    options = DialOptions(1.0, images=324, seed=2, dialogues=20, workers=1)
    monkeypatch.setattr(generating, "draw", stub)
    with pytest.raises(KeyboardInterrupt):
        generate_dial(tmp_path / "raw", options)
    assert not (tmp_path / "raw").exists()
    drawn.clear()
    monkeypatch.setattr(generating, "draw", lambda *a, scene, **k: drawn.append(scene) or Picture.new("RGB", (4, 3)))
    generate_dial(tmp_path / "raw", options)
    pictures = [path.name for path in (tmp_path / "raw" / "images").iterdir()]
    assert len(drawn) == len(pictures) - 25 > 200
    assert {*json.loads((tmp_path / "raw" / "attributes.json").read_text(encoding="utf-8"))} == {*pictures}
    found = build(
        "shoebox",
        Shoebox(),
        tmp_path / "raw",
        tmp_path / "out",
        BuildOptions(extra={"size": 324, "seed": 2, "dialogues": 20, "history_share": 1.0}),
        progress=False,
    )
    assert found.manifest["proxies"]["image"]["coverage"] == 1


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: rows.__setitem__(0, "hm"), "record 0: a dialogue with an id is expected"),
        (lambda rows: rows[1].update(id=rows[0]["id"]), "is there twice"),
        (lambda rows: rows[0].update(kind="odd"), "is unknown"),
        (lambda rows: rows[0].update(last_turn=0), "must be numbers"),
        (lambda rows: rows[0].update(turns=rows[0]["turns"][:1]), "at least two turns"),
        (lambda rows: rows[0]["turns"][0].pop("feedback"), "a turn with reference, feedback and requests"),
        (lambda rows: (rows[0].update(target="x"), rows[1].update(target="y")), "2 problems"),
    ],
)
def test_damaged_dialogues_are_refused_with_every_problem(edit: Any, message: str, dials, tmp_path: Path) -> None:
    shutil.copytree(dials[1.0].path.parent / "raw", tmp_path / "raw")
    file = tmp_path / "raw" / "dialogues.json"
    rows = json.loads(file.read_text(encoding="utf-8"))
    edit(rows)
    file.write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(MtbenchError, match=message):
        make(tmp_path, history_share=1.0)
    assert not (tmp_path / "out").exists()


# The command line

LINE = ("build", "shoebox", "--raw", "raw-dial", "--out", "dial", "--size", 400, "--dialogues", 60, "--no-pictures")


def type_in(*words: object) -> Any:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="mtbench")


def test_a_dial_is_made_and_its_two_ends_are_scored_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = type_in(*LINE, "--history-share", 0.5, "--kinds", "plain,rollback", "--longest", 6)
    assert made.exit_code == 0, made.stderr
    assert "note: Last-turn bound of the test part: R@5" in made.stdout
    assert "shoebox-dial-0.5, revision" in made.stdout
    found = load("dial")
    assert {d.kind for _, d in pairs_of(found)} == {"plain", "rollback"}
    options = found.manifest["options"]
    assert (options["history_share"], options["longest"], options["kinds"]) == (0.5, 6, ["plain", "rollback"])
    assert (options["discriminating_attributes"], options["values"]) == (3, 3)
    record = evaluate("shoebox-oracle", found, tmp_path / "results")
    assert (record["measures"]["R@5"], record["proxy"]) == (1.0, "truth")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--history-share", 1.5], "--history-share must be between 0 and 1, not 1.5"),
        (["--history-share", "nan"], "--history-share must be between 0 and 1"),
        (["--history-share", 0.5, "--longest", 9], "between 2 and 8 turns, not 2 to 9"),
        (["--history-share", 0.5, "--longest", 1], "between 2 and 8 turns"),
        (["--history-share", 0.5, "--kinds", "plane"], "Did you mean 'plain'?"),
        (["--history-share", 0, "--kinds", "rollback"], "no dialogue of the kind 'rollback'"),
        (["--history-share", 0.1, "--kinds", "rollback"], "add plain to --kinds"),
        (["--history-share", 1, "--kinds", "reordered", "--longest", 2], "reordered needs three turns"),
        (["--history-share", 1, "--size", 100], "a dial needs 324 images at least, not 100"),
        (["--history-share", 1, "--size", 100_001], "--size may be 100,000 at most"),
        (["--history-share", 1, "--dialogues", 0], "--dialogues must be at least 1"),
        (["--history-share", 1, "--max-turns", 3], "--max-turns does not apply"),
        (["--history-share", 1, "--split", "edge-target-disjoint"], "--split does not apply"),
        (["--history-share", 1, "--dev-share", 0.2, "--split-seed", 1], "--dev-share and --split-seed do not apply"),
        (["--kinds", "plain"], "--dialogues and --kinds and --no-pictures shape a dial only: add --history-share"),
    ],
)
def test_a_mistake_is_one_clear_line(
    words: list[object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = type_in(*LINE, *words)
    assert found.exit_code == 2
    assert found.stdout == ""
    assert message in found.stderr
    assert found.stderr.count("\n") == 1, found.stderr
    assert not Path("dial").exists()


def test_the_oracle_says_that_it_does_not_understand_other_dialogues(dials) -> None:
    catalogue = Catalogue(dials[1.0].images, truth=lambda: dials[1.0].truth)
    history = dials[1.0].histories("test")[0]
    strange = type(history)(history.category, history.references, (*history.feedback[:-1], "more formal"))
    with pytest.raises(MtbenchError, match="no text of the shoebox dial: 'more formal'"):
        Oracle().score([strange], history.references, catalogue)
    with pytest.raises(MtbenchError, match="does not have"):
        Oracle().score([history], history.references, Catalogue(dials[1.0].images))


def test_shoes_alike_are_found_together() -> None:
    shelf = shelves(800, 0)["train"]
    assert all(look(shelf.shoes[image]) == key for key, images in shelf.looking.items() for image in images)


def test_a_block_is_one_piece_of_evidence(dials: dict[float, Benchmark], tmp_path: Path) -> None:
    dial = dials[0.5]
    record = evaluate("random", dial, tmp_path)
    blocks = {dialogue.block for _, dialogue in pairs_of(dial)}
    assert None not in blocks
    assert record["interval_method"]["clusters"] == len(blocks) < len({t.target for t, _ in pairs_of(dial)})
