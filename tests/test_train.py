"""Training as a user types it: what is printed, refused and marked, and a process that is really killed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from letters import build_letters  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from test_cli import printed, refused, type_in  # noqa: E402
from tiny import CAPTIONS, TRANSACTIONS, write_tiny_benchmark  # noqa: E402

from mtbench.core.errors import MtbenchError  # noqa: E402
from mtbench.core.types import Transaction, Turn  # noqa: E402
from mtbench.models.checkpoint import read_record  # noqa: E402
from mtbench.training.pairs import pairs_of  # noqa: E402

QUICK = ("--set", "epochs=1", "--set", "dim=4")


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_letters(tmp_path_factory.mktemp("built")).path


@pytest.fixture(scope="module")
def combiner(letters: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("combiner")
    printed("train", "combiner", "--benchmark", letters, "--out", out, *QUICK)
    (path,) = out.glob("combiner-*")
    return path


LEAKING = {
    **TRANSACTIONS,
    "train": [
        *TRANSACTIONS["train"],
        Transaction(
            "dress.train.0001", "dress", (Turn("t1", ("is zebra striped",), "t2"), Turn("t2", ("is red",), "red"))
        ),
    ],
}
"""A training transaction with the first pair of the only test transaction, and one that leaks nothing."""


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_benchmark(tmp_path_factory.mktemp("leaking") / "tiny", transactions=LEAKING).path


def trained(model: str, benchmark: Path, out: Path, *words: object) -> list[dict[str, Any]]:
    return json.loads(printed("train", model, "--benchmark", benchmark, "--out", out, "--json", *words))


# What it prints


def test_what_was_learned_is_shown_and_the_command_that_comes_next_works(letters: Path, tmp_path: Path) -> None:
    found = printed("train", "combiner", "--benchmark", letters, "--out", tmp_path, *QUICK)
    lines = [" ".join(line.split()) for line in found.splitlines()]
    assert lines[0].startswith("letters, revision ")
    assert lines[0].endswith("; features tfidf-caption (caption)")
    assert lines[2] == "model seed phase epoch dev checkpoint"
    (path,) = tmp_path.glob("combiner-seed0-*")
    record = read_record(path)
    chosen = record["chosen_on_dev"]["combiner"]
    assert lines[4] == f"combiner 0 combiner {chosen['best_epoch']} of 1 {100 * chosen['mean']:.1f} {path.name}"
    assert lines[-1] == f"Evaluate: mtbench evaluate {path} --benchmark {letters}"
    assert "LEAK" not in found
    assert not list(tmp_path.glob(".combiner*"))  # the state of the training is gone
    table = printed(*shlex.split(lines[-1])[2:], "--out", tmp_path / "results")
    assert "combiner" in table
    assert "LEAK" not in table


def test_the_command_that_comes_next_has_every_checkpoint_ready_to_paste(letters: Path, tmp_path: Path) -> None:
    out = tmp_path / "two words"
    found = printed("train", "combiner", "--benchmark", letters, "--out", out, "--seed", 0, "--seed", 1, *QUICK)
    _, *words = shlex.split(found.splitlines()[-1])
    first, second = sorted(out.iterdir())
    assert words == ["mtbench", "evaluate", str(first), str(second), "--benchmark", str(letters)]


def test_where_there_is_no_terminal_each_epoch_is_a_line(
    letters: Path, combiner: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    on = ("--set", "epochs=2", "--set", "width=2", "--set", f"combiner={combiner}")
    trained("lstm", letters, tmp_path, *on)
    one, two = caplog.messages
    assert re.fullmatch(r"lstm: epoch 1 of 2: loss \d+\.\d{3}, dev \d+\.\d, \d+\.\d s", one)
    assert two.startswith("lstm: epoch 2 of 2: ")


def test_a_combiner_that_is_trained_below_is_told_and_how_to_give_one(
    letters: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained("lstm", letters, tmp_path, "--set", "epochs=1", "--set", "width=2")
    assert caplog.messages[0] == (
        "a combiner is trained first, with its default options (15 epochs), which --set does not reach; for others: "
        "mtbench train combiner --set ..., then --set combiner=CHECKPOINT here"
    )
    assert caplog.messages[1].startswith("combiner: epoch 1 of 15: ")
    assert caplog.messages[16].startswith("lstm: epoch 1 of 1: ")


def test_a_training_that_learned_nothing_says_so_in_its_results_too(letters: Path, tmp_path: Path) -> None:
    found = printed("train", "combiner", "--benchmark", letters, "--out", tmp_path, "--set", "rate=0", *QUICK)
    assert "Epoch 0 was kept, so nothing was learned in that phase: combiner, seed 0." in found
    (path,) = tmp_path.glob("combiner-*")
    on = ("--benchmark", letters, "--out", tmp_path / "results")
    said = "epoch 0 was kept of combiner, so nothing was learned there."
    assert f"combiner: {said}" in printed("evaluate", path, *on)
    assert f"ewma: {said}" in printed("evaluate", "ewma", *on, "--set", f"combiner={path}")


def test_checkpoints_go_into_the_benchmark_by_default(tmp_path: Path) -> None:
    path = write_tiny_benchmark(tmp_path / "tiny").path
    printed("train", "combiner", "--benchmark", path, *QUICK)
    assert len(list((path / "checkpoints").glob("combiner-seed0-*"))) == 1


def test_a_training_that_is_done_is_not_done_again(
    letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained("combiner", letters, tmp_path, *QUICK)
    monkeypatch.setattr("mtbench.models.learning.trainer.Trainer.run", lambda *_: pytest.fail("trained again"))
    assert trained("combiner", letters, tmp_path, *QUICK) == first


def test_another_torch_or_another_code_of_the_scores_is_another_training(
    letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtbench.training.train.library_sha256", lambda *parts: " ".join(parts))
    on = ("--set", "device=cpu", *QUICK)
    (first,) = trained("combiner", letters, tmp_path, *on)
    assert "evaluation" in first["library_sha256"].split()  # scores on dev decide which epoch is kept
    assert first["computed"] == {"precision": "float32", "device": "cpu", "torch": torch.__version__}
    monkeypatch.setattr(torch, "__version__", "0.0")
    (other,) = trained("combiner", letters, tmp_path, *on)
    assert other["checkpoint"] != first["checkpoint"]


def test_several_seeds_make_a_checkpoint_each_and_compare_takes_them_as_one_system(
    letters: Path, combiner: Path, tmp_path: Path
) -> None:
    words = ("--set", "epochs=1", "--set", "width=3", "--set", f"combiner={combiner}")
    found = trained("lstm", letters, tmp_path, *words, "--seed", 2, "--seed", 5, "--seed", 2)
    assert [record["seed"] for record in found] == [2, 5]
    weights = [load_file(Path(record["checkpoint"]) / "weights.safetensors") for record in found]
    assert not torch.equal(*(one["reader.memory.out.weight"] for one in weights))
    paths = [record["checkpoint"] for record in found]
    table = printed("evaluate", *paths, "bm25", "--benchmark", letters, "--out", tmp_path / "results")
    rows = [line.split()[:2] for line in table.splitlines() if line.startswith(("lstm ", "bm25 "))]
    assert rows == [["lstm", "2"], ["lstm", "5"], ["bm25", "-"]]
    compared = json.loads(printed("compare", tmp_path / "results", "--json"))
    assert [system["name"] for system in compared["systems"]] == ["bm25", "lstm"]
    assert list(compared["systems"][1]["by_seed"]) == ["2", "5"]


def test_a_memory_without_a_combiner_trains_one_first(letters: Path, tmp_path: Path) -> None:
    (record,) = trained("gru", letters, tmp_path, "--set", "epochs=1", "--set", "width=2")
    assert list(record["chosen_on_dev"]) == ["combiner", "gru"]
    assert record["from"] == {}


def test_an_aggregator_stands_on_a_trained_combiner(letters: Path, combiner: Path, tmp_path: Path) -> None:
    words = ("--benchmark", letters, "--out", tmp_path, "--set", f"combiner={combiner}", "--json")
    (ewma, last) = json.loads(printed("evaluate", "ewma", "last-turn", *words))
    (alone,) = json.loads(printed("evaluate", combiner, "--benchmark", letters, "--out", tmp_path, "--json"))
    assert last["measures"]["mean"] == pytest.approx(alone["measures"]["mean"])
    assert set(ewma["chosen_on_dev"]) == {"alpha"}
    assert ewma["options"] == {"combiner": "combiner", "seed": 0}
    assert ewma["trained"][0]["weights_sha256"] == read_record(combiner)["weights_sha256"]
    both = type_in("evaluate", "avg", *words, "--set", "reference_weight=0.5")
    assert "leave out reference_weight" in both.stderr


# Options


def test_options_come_from_a_file_and_those_that_are_typed_go_before(letters: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("epochs: 3\ndim: 4\nlearned-scale: yes\nrate: 1e-3\nseed: 4\n")
    (record,) = trained("combiner", letters, tmp_path / "a", "--config", config, "--set", "epochs=1")
    options = {name: record["options"][name] for name in ("epochs", "dim", "learned_scale", "rate", "seed")}
    assert options == {"epochs": 1, "dim": 4, "learned_scale": True, "rate": 0.001, "seed": 4}
    assert record["seed"] == 4
    assert Path(record["checkpoint"]).name.startswith("combiner-seed4-")
    config.with_suffix(".json").write_text(json.dumps(options))
    (same,) = trained("combiner", letters, tmp_path / "b", "--config", config.with_suffix(".json"))
    assert same["key"] == record["key"]
    assert "given twice" in refused("train", "combiner", "--benchmark", letters, "--config", config, "--seed", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: [", "cannot be read as YAML or JSON"),
        ("- epochs", "must hold options as name: value"),
        ("7", "must hold options as name: value"),
        ("", "must hold options as name: value"),
        ("1: 2", "must hold options as name: value"),
        ("epochs: {first: 2}", "epochs: an option is a word, a number or a list of these"),
        ("epochs: [[1]]", "epochs: an option is a word, a number or a list of these"),
        ("epochs: 2020-01-01", "epochs: an option is a word, a number or a list of these"),
        ("a: !!python/object/apply:os.system [ls]", "cannot be read as YAML or JSON"),
        ("epochs: many", "epochs: 'many' is not a whole number"),
        ("epochs: true", "epochs: True is not a whole number"),
        ("epochs: 1.5", "epochs: 1.5 is not a whole number"),
        ("depth: 3", "depth: no such option"),
        ("seed: -1", "the seed must be 0 or more, not -1"),
        ("seed: one", "the seed must be a whole number, not 'one'"),
        ("preset: novel", "no preset named 'novel'"),
    ],
)
def test_a_bad_file_of_options_is_told(letters: Path, tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text)
    assert message in refused("train", "combiner", "--benchmark", letters, "--config", config, "--out", tmp_path)


def test_a_file_of_options_that_is_not_there_is_told(letters: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    found = refused("train", "combiner", "--benchmark", letters, "--config", missing, "--out", tmp_path)
    assert found == f"mtbench: --config {missing} does not exist\n"


def test_the_preset_paper_is_the_literal_setting_and_options_still_go_before(letters: Path, tmp_path: Path) -> None:
    small = ("--set", "epochs=1", "--set", "projection=1", "--set", "hidden=1")
    (record,) = trained("combiner", letters, tmp_path, "--preset", "paper", *small)
    options = record["options"]
    assert (options["kind"], options["batch"], options["rate"]) == ("clip4cir", 80, 1e-4)
    assert (options["schedule"], options["mask_equal"], options["epochs"]) == ("constant", False, 1)
    assert record["preset"] == "paper"
    words = ("--set", "epochs=1", "--set", f"combiner={record['checkpoint']}")
    (memory,) = trained("lstm", letters, tmp_path, "--set", "preset=paper", *words)
    assert memory["preset"] == "paper"
    assert (memory["options"]["negatives"], memory["options"]["scale"]) == ("batch", 1.0)
    assert (memory["options"]["skip"], memory["options"]["width"]) == ("none", 100)


def test_the_preset_default_is_no_preset(letters: Path, tmp_path: Path) -> None:
    keys = [trained("combiner", letters, tmp_path, *QUICK, *more)[0]["key"] for more in ((), ("--preset", "default"))]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("combinor",), "no model named 'combinor'. Did you mean 'combiner'?"),
        (("combiner", "--preset", "papper"), "no preset named 'papper'. Did you mean 'paper'?"),
        (("combiner", "--set", "dims=3"), "dims: no such option. Did you mean 'dim'?\nOptions: seed, epochs, batch,"),
        (("combiner", "--set", "epoch=3"), "model 'combiner': epoch: no such option. Did you mean 'epochs'?\n"),
        (("combiner", "--set", "epochs=0"), "mtbench: model 'combiner': epochs must be 1 or more, not 0\n"),
        (("combiner", "--set", "kind=big"), "kind: 'big' is not one of residual, clip4cir"),
        (("combiner", "--set", "dim=0"), "dim must be 1 or more, not 0"),
        (("combiner", "--set", "dropout=2"), "dropout must be between 0 and 1, not 2.0"),
        (("combiner", "--set", "scale=0"), "scale must be between 0.001 and 100, not 0.0"),
        (("combiner", "--set", "device=abacus"), "no device 'abacus' here"),
        (("combiner", "--seed", "-1"), "the seed must be 0 or more, not -1"),
        (("lstm", "--set", "width=0"), "width must be 1 or more, not 0"),
        (("lstm", "--set", "alpha=1"), "alpha must be between 0.001 and 0.999, not 1.0"),
        (("lstm", "--set", "combiner=nowhere"), "nowhere is no checkpoint: it has no checkpoint.json"),
        (("transformer", "--set", "heads=7"), "heads (7) must divide the size of the queries"),
        (("bm25",), "bm25 has no network to train: mtbench evaluate bm25 fits what there is to fit"),
        (("models.py:Letters",), "models.py:Letters has no network to train"),
        (("models.py:Mine",), "models.py:Mine is not registered, and a checkpoint names a registered model"),
        (("combiner", "--allow-leak", "--drop-leaks"), "--allow-leak and --drop-leaks exclude each other"),
        (("combiner", "--clean", "edges"), "no kind of leak named 'edges'. Did you mean"),
        (("combiner", "--features", "clip"), "no features named 'clip'"),
        (("combiner", "--words", "captions"), "no words named 'captions'. Did you mean 'caption'?"),
        (("combiner", "--pairs", "shoes"), "--pairs 'shoes' must be BUILDER=RAW"),
        (("combiner", "--pairs", "=raw"), "--pairs '=raw' must be BUILDER=RAW"),
        (("combiner", "--pairs", "shose=raw"), "no builder named 'shose'. Did you mean 'shoes'?"),
        (("combiner", "--pairs", "shoes=nowhere"), "nowhere does not exist"),
    ],
)
def test_what_cannot_be_trained_is_told_in_words(
    letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = (
        "from mtbench.models.combiner import Combiner\n\nclass Mine(Combiner):\n    pass\n\nclass Letters:\n    pass\n"
    )
    (tmp_path / "models.py").write_text(mine)
    quick = ("--set", "epochs=1") if words[0] in ("lstm", "transformer") else ()
    assert message in refused("train", *words, *quick, "--benchmark", letters, "--out", tmp_path / "out")
    assert not list(tmp_path.glob("out/[!.]*"))


def test_json_of_a_failure_is_no_json(letters: Path, tmp_path: Path) -> None:
    found = type_in("train", "combiner", "--benchmark", letters, "--out", tmp_path, "--json", "--set", "epochs=no")
    assert (found.exit_code, found.stdout) == (2, "")


# Leaks


def test_a_benchmark_that_leaks_is_refused(leaking: Path, tmp_path: Path) -> None:
    found = refused("train", "combiner", "--benchmark", leaking, "--out", tmp_path, *QUICK)
    assert "training on this would leak: 1 of the 1 test transactions" in found
    assert "are known by edge." in found
    assert "--drop-leaks" in found
    assert "--allow-leak" in found
    assert not list(tmp_path.iterdir())


def test_without_its_leaks_it_is_learned_from_unmarked(leaking: Path, tmp_path: Path) -> None:
    (record,) = trained("combiner", leaking, tmp_path, *QUICK, "--drop-leaks")
    assert record["leak"] == {
        "kind": "edge",
        "marked": False,
        "known": 0,
        "of": 1,
        "known_in_dev": 0,
        "dropped": 1,
        "below": [],
    }
    table = printed("train", "combiner", "--benchmark", leaking, "--out", tmp_path, *QUICK, "--drop-leaks")
    assert "1 transactions that leak by edge were left out." in table
    assert "LEAK" not in table


def test_a_leak_that_is_allowed_is_marked_wherever_the_checkpoint_goes(leaking: Path, tmp_path: Path) -> None:
    def evaluated(*words: object) -> tuple[str, dict[str, Any]]:
        words = ("evaluate", *words, "--benchmark", leaking, "--out", tmp_path / "results")
        return printed(*words), json.loads(printed(*words, "--json"))[0]

    words = ("--benchmark", leaking, "--out", tmp_path, "--allow-leak")
    assert "LEAK: 1 of 1 test transactions were known in training by edge." in printed(
        "train", "combiner", *words, *QUICK
    )
    (path,) = tmp_path.glob("combiner-*")
    mark = {"kind": "edge", "marked": True, "known": 1, "of": 1, "known_in_dev": 0, "dropped": 0}
    assert read_record(path)["leak"] == {**mark, "below": []}
    table, record = evaluated(path)
    assert record["trained"][0]["leak"]["marked"] is True
    assert [line for line in table.splitlines() if line.startswith("combiner LEAK  ")]
    assert "combiner LEAK: 1 of 1 test transactions were known in training by edge: no fair score" in table

    over = ("--benchmark", leaking, "--out", tmp_path, "--drop-leaks", "--set", f"combiner={path}")
    (memory,) = json.loads(printed("train", "lstm", *over, "--set", "epochs=1", "--json"))
    assert memory["leak"]["marked"] is True  # what it starts from knows
    assert memory["leak"]["below"] == [mark]
    table, record = evaluated(memory["checkpoint"])
    assert record["trained"][0]["leak"]["marked"] is True
    assert "lstm LEAK: 1 of 1 test transactions were known in training by edge: no fair score" in table

    table, record = evaluated("last-turn", "--set", f"combiner={path}")
    assert record["trained"][0]["leak"]["marked"] is True
    assert [line for line in table.splitlines() if line.startswith("last-turn LEAK  ")]

    printed("evaluate", "bm25", "--benchmark", leaking, "--out", tmp_path / "results")
    compared = json.loads(printed("compare", tmp_path / "results", "--json"))
    names = [system["name"] for system in compared["systems"]]
    assert names == ["bm25", "combiner LEAK", "last-turn LEAK", "lstm LEAK"]
    assert any("no fair score: combiner LEAK, last-turn LEAK, lstm LEAK" in note for note in compared["notes"])


def test_what_learned_from_other_data_is_another_system(leaking: Path, tmp_path: Path) -> None:
    for seed, policy in ((0, "--allow-leak"), (1, "--drop-leaks")):
        (record,) = trained("combiner", leaking, tmp_path, *QUICK, policy, "--seed", seed)
        printed("evaluate", record["checkpoint"], "--benchmark", leaking, "--out", tmp_path / "results")
    compared = json.loads(printed("compare", tmp_path / "results", "--json"))
    assert [system["name"] for system in compared["systems"]] == ["combiner", "combiner LEAK"]


@pytest.mark.parametrize("clean", ["edge", "last-edge", "sub-chain", "final-target", "image"])
def test_every_kind_of_leak_can_be_dropped_and_one_by_edge_always_is(leaking: Path, tmp_path: Path, clean: str) -> None:
    (record,) = trained("combiner", leaking, tmp_path, *QUICK, "--drop-leaks", "--clean", clean)
    assert (record["leak"]["dropped"], record["leak"]["known"]) == (1, 0)


@pytest.mark.parametrize(
    ("reference", "target", "leaks"),
    [
        ("t1", "t2", True),  # a pair of the test transaction t1 -> t2 -> t3
        ("t2", "t1", True),  # the other way round: who learned it knows the pair
        ("black", "t3", True),  # its final target, from elsewhere
        ("t3", "black", False),  # its final target shown, and left
        ("t1", "t3", True),
        ("black", "t2", False),  # a target on the way
    ],
)
def test_what_comes_from_elsewhere_must_not_teach_a_held_out_pair_or_final_target(
    tmp_path: Path, reference: str, target: str, leaks: bool
) -> None:
    from mtbench.training.leak import allowed

    benchmark = write_tiny_benchmark(tmp_path / "tiny", transactions=TRANSACTIONS)
    assert [t.images for t in benchmark.transactions("test")] == [("t1", "t2", "t3")]
    more = [Transaction("more", "dress", (Turn(reference, ("is long",), target),))]
    assert allowed(benchmark, more, policy="allow", kind="edge").leak["marked"] is leaks
    dropped = allowed(benchmark, more, policy="drop", kind="edge")
    assert (dropped.leak["dropped"], dropped.leak["marked"]) == (int(leaks), False)
    assert (more[0] in dropped.transactions) is not leaks
    if leaks:
        with pytest.raises(MtbenchError, match="would leak: 1 of the 1 test"):
            allowed(benchmark, more, policy="refuse", kind="edge")


def test_where_all_leaks_or_nothing_is_there_nothing_is_left_to_learn(tmp_path: Path) -> None:
    only = {**LEAKING, "train": LEAKING["train"][1:]}
    path = write_tiny_benchmark(tmp_path / "only", transactions=only).path
    found = refused("train", "combiner", "--benchmark", path, "--drop-leaks")
    assert "has nothing to learn from: every training transaction leaks by edge" in found
    path = write_tiny_benchmark(tmp_path / "none", transactions={**TRANSACTIONS, "train": []}).path
    for words in ((), ("--drop-leaks",), ("--allow-leak",)):
        found = refused("train", "combiner", "--benchmark", path, *words)
        assert "has nothing to learn from: its train part is empty" in found


def test_without_a_dev_part_the_last_epoch_is_kept(tmp_path: Path) -> None:
    path = write_tiny_benchmark(tmp_path / "tiny", transactions={**TRANSACTIONS, "dev": []}).path
    found = printed("train", "combiner", "--benchmark", path, "--set", "epochs=2", "--set", "dim=2")
    assert " 2 of 2 " in found


# More to learn from


def test_pairs_of_raw_files_are_learned_from_and_checked_for_leaks(letters: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    pairs = [{"ImageName": "c.jpg", "ReferenceImageName": "a.jpg", "RelativeCaption": "is long"}]
    (raw / "relative_captions_shoes.json").write_text(json.dumps(pairs))
    found = type_in("train", "combiner", "--benchmark", letters, "--out", tmp_path, *QUICK, "--pairs", f"shoes={raw}")
    assert found.exit_code in (0, 2)
    assert "Traceback" not in found.output


def test_the_record_names_the_builder_and_not_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = [Transaction("x.0", "dress", (Turn("red", ("is long",), "long"),))]
    monkeypatch.setattr("mtbench.training.pairs.BUILDERS", {"shoes": object})
    monkeypatch.setattr("mtbench.training.pairs.train_pairs", lambda *_: extra)
    path = write_tiny_benchmark(tmp_path / "tiny").path
    (with_pairs,) = trained("combiner", path, tmp_path / "out", *QUICK, "--pairs", f"shoes={tmp_path}")
    (without,) = trained("combiner", path, tmp_path / "out", *QUICK)
    assert (with_pairs["pairs"], without["pairs"]) == ("shoes", "")
    assert str(tmp_path) not in (Path(with_pairs["checkpoint"]) / "checkpoint.json").read_text()
    assert with_pairs["weights_sha256"] != without["weights_sha256"]
    extra[0] = Transaction("x.0", "dress", (Turn("t1", ("is long",), "t2"),))
    found = refused("train", "combiner", "--benchmark", path, *QUICK, "--pairs", f"shoes={tmp_path}")
    assert "are known by edge (with what --pairs adds)" in found


def test_a_builder_in_a_file_is_named_without_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = write_tiny_benchmark(tmp_path / "tiny")
    mine = f"{tmp_path}/mine.py:Mine"
    monkeypatch.setattr("mtbench.training.pairs.BUILDERS", {mine: object, "shoes": object})
    monkeypatch.setattr("mtbench.training.pairs.train_pairs", lambda *_: [])
    assert pairs_of(benchmark, ["shoes=a", f"{mine}=b", "shoes=c"]).name == "mine.py:Mine shoes"


# What lies below


def test_a_memory_says_what_lies_below_it_and_so_do_its_results(letters: Path, combiner: Path, tmp_path: Path) -> None:
    spoilt = Path(shutil.copytree(combiner, tmp_path / "combiner"))
    record = json.loads((spoilt / "checkpoint.json").read_text())
    record |= {"pairs": "shoes", "status": "diverged"}
    (spoilt / "checkpoint.json").write_text(json.dumps(record))
    words = ("--set", "epochs=1", "--set", "width=2", "--set", f"combiner={spoilt}")
    (memory,) = trained("lstm", letters, tmp_path, *words)
    (row,) = memory["below"]
    assert row == {
        **{name: record[name] for name in ("model", "preset", "pairs", "status", "weights_sha256", "seed")},
        "options": {name: value for name, value in record["options"].items() if name != "seed"},
    }
    assert (row["pairs"], row["options"]["dim"]) == ("shoes", 4)
    early = "the training of combiner stopped early: diverged."
    assert f"Below it {early}" in printed("train", "lstm", "--benchmark", letters, "--out", tmp_path, *words)
    on = ("--benchmark", letters, "--out", tmp_path / "results")
    assert f"lstm: {early}" in printed("evaluate", memory["checkpoint"], *on)
    (result,) = json.loads(printed("evaluate", memory["checkpoint"], *on, "--json"))
    assert result["trained"][0]["below"] == [row]


def test_models_on_other_combiners_are_other_systems_and_those_of_other_seeds_are_not(
    letters: Path, tmp_path: Path
) -> None:
    on = ("--benchmark", letters, "--out", tmp_path / "results")
    for dim, seed in ((4, 0), (4, 1), (3, 0)):
        (below,) = trained("combiner", letters, tmp_path, "--set", "epochs=1", "--set", f"dim={dim}", "--seed", seed)
        over = ("--set", f"combiner={below['checkpoint']}")
        small = ("--set", "epochs=1", "--set", "width=2", "--seed", seed)
        (memory,) = trained("lstm", letters, tmp_path, *over, *small)
        printed("evaluate", memory["checkpoint"], *on)
        printed("evaluate", "ewma", *on, *over)
    compared = json.loads(printed("compare", tmp_path / "results", "--json"))
    assert {system["name"]: list(system["by_seed"]) for system in compared["systems"]} == {
        "ewma (combiner dim=3)": ["0"],
        "ewma (combiner dim=4)": ["0", "1"],
        "lstm (combiner dim=3)": ["0"],
        "lstm (combiner dim=4)": ["0", "1"],
    }


# What no training has seen


def test_a_dialogue_longer_than_any_and_empty_feedback_are_ranked(tmp_path: Path) -> None:
    images = ["t1", "t2", "t3"]
    turns = [Turn(images[n % 3], ("",) if n % 2 else (f"wish {n}",), images[(n + 1) % 3]) for n in range(12)]
    dialogues = {**TRANSACTIONS, "test": [Transaction("dress.test.0000", "dress", tuple(turns))]}
    path = write_tiny_benchmark(tmp_path / "tiny", transactions=dialogues, captions=CAPTIONS).path
    (combiner,) = trained("combiner", path, tmp_path / "out", *QUICK)
    for model in ("lstm", "gru", "transformer"):
        few = ("--set", "heads=1", "--set", "ages=2", "--set", "layers=1") if model == "transformer" else ()
        words = ("--set", "epochs=1", "--set", f"combiner={combiner['checkpoint']}", *few)
        (record,) = trained(model, path, tmp_path / "out", *words)
        found = json.loads(printed("evaluate", record["checkpoint"], "--benchmark", path, "--json"))
        assert list(found[0]["by_turns"]) == ["12"]


# Divergence


def test_a_training_that_diverges_ends_with_2_and_leaves_its_best_weights(letters: Path, tmp_path: Path) -> None:
    words = ("--set", "rate=1e30", "--set", "schedule=constant", "--set", "epochs=3", "--set", "dim=4")
    found = refused("train", "combiner", "--benchmark", letters, "--out", tmp_path, *words)
    assert re.match(r"mtbench: combiner: (?!combiner)", found)
    assert " of epoch 1" in found or " of epoch 2" in found
    assert "Lower --set rate (1e+30)" in found
    (path,) = tmp_path.glob("combiner-*")
    assert path.name.endswith("-diverged")
    assert f"The best weights before that are in {path}" in found
    record = read_record(path)
    assert record["status"] == "diverged"
    assert record["chosen_on_dev"]["combiner"]["best_epoch"] in (0, 1)
    table = printed("evaluate", path, "--benchmark", letters, "--out", tmp_path / "results")
    assert "the training of combiner stopped early: diverged" in table
    assert refused("train", "combiner", "--benchmark", letters, "--out", tmp_path, *words) == found  # not taken as done


# Killed


SLOW = """
import sys, time
from mtbench.cli import main
from mtbench.models.learning import resume
from mtbench.training import train
train.library_sha256 = lambda *_: '0' * 64
resume.Folder.__init__.__kwdefaults__['every'] = 0.0
real = resume.Folder.keep
def keep(self, *arguments):
    real(self, *arguments)
    if arguments[1:][1].epoch == 3: time.sleep(600)
resume.Folder.keep = keep
main(sys.argv[1:])
"""
"""A training that stands still after epoch 3."""


@pytest.mark.parametrize(
    ("with_signal", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_a_process_that_was_killed_is_taken_up_by_the_same_command(
    letters: Path,
    combiner: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    with_signal: signal.Signals,
    code: int,
) -> None:
    monkeypatch.setattr(
        "mtbench.training.train.library_sha256", lambda *_: "0" * 64
    )  # in both processes, whoever edits
    words = ["train", "lstm", "--benchmark", str(letters), "--set", "epochs=6", "--set", "width=3"]
    words += ["--set", f"combiner={combiner}", "--set", "patience=0", "--out"]
    command = [sys.executable, "-c", SLOW, *words, str(tmp_path / "killed")]
    killed = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        state: list[Path] = []
        while not (state and _epoch(state[0]) == 3) and time.monotonic() < deadline:
            assert killed.poll() is None, "it ended by itself"
            time.sleep(0.1)
            state = list((tmp_path / "killed").glob(".lstm-*/now.safetensors"))
    finally:
        killed.send_signal(with_signal)
        _, told = killed.communicate(timeout=60)
    assert killed.returncode == code
    if with_signal != signal.SIGKILL:
        assert "Traceback" not in told
        assert told.splitlines()[-1] == (
            "mtbench: stopped. lstm, seed 0: the same command goes on after epoch 3 of phase 1, saved in "
            f"{state[0].parent}"
        )
    assert not list((tmp_path / "killed").glob("lstm-*"))
    printed(*words, tmp_path / "killed")
    printed(*words, tmp_path / "whole")
    (one,), (two,) = (list((tmp_path / name).glob("lstm-*")) for name in ("killed", "whole"))
    assert one.name == two.name
    assert (one / "weights.safetensors").read_bytes() == (two / "weights.safetensors").read_bytes()
    assert read_record(one)["training"] == read_record(two)["training"]
    assert not list((tmp_path / "killed").glob(".*"))


def _epoch(path: Path) -> int:
    from mtbench.models.learning.tensors import read_tensors

    return int(read_tensors(path)[1]["epoch"])


# Without torch


def _without(module: str, folder: Path, *commands: tuple[object, ...]) -> list[tuple[int, str, str]]:
    """Exit codes, and what is printed, of commands in a process that cannot import a package."""
    code = (
        "import json, sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {module!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from click.testing import CliRunner\n"
        "from mtbench.cli import main\n"
        "found = [CliRunner().invoke(main, words) for words in json.loads(sys.argv[1])]\n"
        "print(json.dumps([[one.exit_code, one.stdout, one.stderr or repr(one.exception)] for one in found]))\n"
    )
    words = json.dumps([[str(word) for word in command] for command in commands])
    found = subprocess.run(
        [sys.executable, "-c", code, words], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert found.returncode == 0, found.stderr
    return [(code, out, error) for code, out, error in json.loads(found.stdout)]


def test_without_torch_one_line_says_what_to_install_and_all_else_works(
    letters: Path, combiner: Path, tmp_path: Path
) -> None:
    on = ("--benchmark", letters, "--out", tmp_path)
    *told, listed, ranked = _without(
        "torch",
        tmp_path,
        ("train", "lstm", *on),
        ("evaluate", "combiner", *on),
        ("evaluate", combiner, *on),
        ("evaluate", "ewma", *on, "--set", f"combiner={combiner}"),
        ("list", "models"),
        ("evaluate", "bm25", "ewma", *on),
    )
    for code, _, error in told:
        assert code == 2
        assert len(error.splitlines()) == 1, error
        assert error.startswith("mtbench: ")
        assert 'pip install "mtbench[neural]"' in error
    code, out, error = listed
    assert (code, error) == (0, "None")
    names = {line.split()[0] for line in out.splitlines()[2:]}
    assert {"bm25", "combiner", "lstm", "gru", "transformer", "ewma"} <= names
    assert "ST + LSTM: one layer over f_qry." in out
    assert ranked[0] == 0, ranked[2]


def test_without_safetensors_it_is_the_same(letters: Path, combiner: Path, tmp_path: Path) -> None:
    on = ("--benchmark", letters, "--out", tmp_path)
    for code, _, error in _without("safetensors", tmp_path, ("train", "lstm", *on), ("evaluate", combiner, *on)):
        assert code == 2
        assert len(error.splitlines()) == 1, error
        assert 'pip install "mtbench[neural]"' in error
