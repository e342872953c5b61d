"""Checkpoints: what is written is read again, and what somebody else wrote is read with suspicion."""

from __future__ import annotations

import json
import pickle
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from letters import build_letters  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from test_cli import printed, refused  # noqa: E402

from mtbench.core.errors import MtbenchError  # noqa: E402
from mtbench.core.files import file_sha256  # noqa: E402
from mtbench.core.registry import MODELS  # noqa: E402
from mtbench.core.types import History  # noqa: E402
from mtbench.data.benchmark import Benchmark  # noqa: E402
from mtbench.evaluation.evaluate import evaluate  # noqa: E402
from mtbench.evaluation.inputs import Settings, features_of  # noqa: E402
from mtbench.evaluation.ready import catalogue_of  # noqa: E402
from mtbench.evaluation.record import Phases  # noqa: E402
from mtbench.models.checkpoint import LARGEST_DEPTH, is_checkpoint, open_checkpoint, read_record  # noqa: E402
from mtbench.models.combiner import Combiner  # noqa: E402
from mtbench.models.recurrent import Lstm  # noqa: E402
from mtbench.training.train import TrainSettings, train  # noqa: E402

HISTORIES = [History("dress", ("g", "h"), ("is red", "has stripes")), History("dress", ("h",), ("has stripes",))]


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return build_letters(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def combiner(benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained combiner."""
    options = TrainSettings(options={"epochs": 2, "dim": 4})
    return train("combiner", benchmark, tmp_path_factory.mktemp("combiner"), options).path


@pytest.fixture(scope="module")
def lstm(benchmark: Benchmark, combiner: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained LSTM over it."""
    options = TrainSettings(options={"epochs": 1, "width": 3, "combiner": str(combiner)})
    return train("lstm", benchmark, tmp_path_factory.mktemp("lstm"), options).path


@pytest.fixture
def copy(combiner: Path, tmp_path: Path) -> Path:
    """A combiner to spoil."""
    return Path(shutil.copytree(combiner, tmp_path / "copy"))


def change(path: Path, **fields: Any) -> Path:
    """Other fields in the record; ``features__dim`` is a field of a field."""
    file = path / "checkpoint.json"
    record = json.loads(file.read_text())
    for name, value in fields.items():
        *outer, inner = name.split("__")
        place = record
        for part in outer:
            place = place[part]
        place[inner] = value
    file.write_text(json.dumps(record))
    return path


def rewrite(path: Path, tensors: Mapping[str, Any]) -> None:
    """Other weights, with a record that names their hash."""
    save_file(dict(tensors), path / "weights.safetensors")
    change(path, weights_sha256=file_sha256(path / "weights.safetensors"))


def vectors(model: Any, benchmark: Benchmark) -> tuple[Any, Any]:
    features = features_of(benchmark, None, "caption", Phases(), progress=False)
    catalogue = catalogue_of(benchmark, "caption", lambda: features)
    return model.embed_histories(HISTORIES, catalogue), model.embed_images(["g", "i"], catalogue)


# There and back


@pytest.mark.parametrize("name", ["combiner", "lstm"])
def test_an_opened_checkpoint_gives_the_vectors_of_the_model_that_was_trained(
    name: str, benchmark: Benchmark, combiner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    real = {"combiner": Combiner, "lstm": Lstm}[name].phases

    def phases(self: Any, *arguments: Any) -> Any:
        made.append(self)
        return real(self, *arguments)

    monkeypatch.setattr({"combiner": Combiner, "lstm": Lstm}[name], "phases", phases)
    options = {"combiner": {"dim": 5}, "lstm": {"width": 3, "combiner": str(combiner)}}[name]
    path = train(name, benchmark, tmp_path, TrainSettings(options={"epochs": 2, "rate": 0.05, **options})).path
    opened = open_checkpoint(path)
    assert not opened.model.net.training
    for found, kept in zip(vectors(opened.model, benchmark), vectors(made[-1], benchmark), strict=True):
        assert np.array_equal(found, kept)


def test_the_same_seed_and_options_give_the_same_bytes_and_another_seed_gives_others(
    benchmark: Benchmark, combiner: Path, tmp_path: Path
) -> None:
    def again(seed: int) -> Path:
        options = {"epochs": 2, "width": 3, "combiner": str(combiner)}
        return train("lstm", benchmark, tmp_path / f"{time.monotonic_ns()}", TrainSettings(seed, options)).path

    one, same, other = again(7), again(7), again(8)
    assert one.name == same.name != other.name
    assert one.name.startswith("lstm-seed7-")
    weights = [(path / "weights.safetensors").read_bytes() for path in (one, same, other)]
    assert weights[0] == weights[1] != weights[2]
    records = [json.loads((path / "checkpoint.json").read_text()) for path in (one, same)]
    for record in records:
        record.pop("seconds")
    assert records[0] == records[1]


def test_a_checkpoint_is_two_files_and_says_what_it_depends_on(benchmark: Benchmark, combiner: Path) -> None:
    assert sorted(file.name for file in combiner.iterdir()) == ["checkpoint.json", "weights.safetensors"]
    record = read_record(combiner)
    assert record["benchmark"] == "letters"
    assert record["revision"] == benchmark.revision
    assert record["options"] | {"dim": 4, "epochs": 2, "seed": 0} == record["options"]
    assert "device" not in record["options"]
    assert record["inputs"] == {"features": record["features"]["dim"]}
    assert record["status"] == "complete"
    assert record["leak"] == {
        "kind": "edge",
        "marked": False,
        "known": 0,
        "of": 3,
        "known_in_dev": 0,
        "dropped": 0,
        "below": [],
    }
    assert len(record["training"]["combiner"]["epochs"]) == 3
    assert record["environment"]["packages"]["torch"] == torch.__version__
    assert str(benchmark.path) not in (combiner / "checkpoint.json").read_text()


def test_the_memory_knows_its_combiner_by_the_hash_of_its_weights(combiner: Path, lstm: Path) -> None:
    record = read_record(lstm)
    assert record["from"] == {"combiner": read_record(combiner)["weights_sha256"]}
    assert "combiner" not in record["options"]  # a path is of this machine
    below = load_file(combiner / "weights.safetensors")
    above = load_file(lstm / "weights.safetensors")
    assert all(torch.equal(above[f"combiner.{name}"], value) for name, value in below.items())


def test_it_is_evaluated_where_nothing_but_the_checkpoint_is_left(
    benchmark: Benchmark, lstm: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(lstm, tmp_path / "elsewhere"))
    found = printed("evaluate", moved, "--benchmark", benchmark.path, "--out", tmp_path / "results")
    assert "lstm" in found


def test_files_beside_it_are_ignored(benchmark: Benchmark, copy: Path, combiner: Path) -> None:
    for name in ("model.py", "pytorch_model.bin", "config.json", "__init__.py"):
        (copy / name).write_bytes(pickle.dumps(print) if name.endswith(".bin") else b"raise SystemExit('was run')")
    found, kept = (vectors(open_checkpoint(path).model, benchmark) for path in (copy, combiner))
    assert np.array_equal(found[0], kept[0])


# Spoilt


def spoil(name: str) -> Callable[[Path], Any]:
    """Ways to spoil a checkpoint, by name."""
    ways: dict[str, Callable[[Path], Any]] = {
        "cut off": lambda p: (p / "weights.safetensors").write_bytes((p / "weights.safetensors").read_bytes()[:-9]),
        "changed": lambda p: flip(p / "weights.safetensors"),
        "no weights": lambda p: (p / "weights.safetensors").unlink(),
        "no safetensors": lambda p: (p / "weights.safetensors").write_bytes(b"x" * 64) and rehash(p),
        "pickle": lambda p: (p / "weights.safetensors").write_bytes(pickle.dumps({"a": 1})) and rehash(p),
        "no json": lambda p: (p / "checkpoint.json").write_text("{"),
        "bytes": lambda p: (p / "checkpoint.json").write_bytes(b"\xff\xfe\x00"),
        "list": lambda p: (p / "checkpoint.json").write_text("[1, 2]"),
        "null": lambda p: (p / "checkpoint.json").write_text("null"),
        "nan": lambda p: text(p, '"seed": 0', '"seed": NaN'),
        "infinity": lambda p: change(p, chosen_on_dev={"combiner": {"mean": float("inf")}}),
        "long number": lambda p: text(p, '"seed": 0', f'"seed": {"9" * 5000}'),
        "deep": lambda p: (p / "checkpoint.json").write_text("[" * 100_000),
        "nested": lambda p: change(p, chosen_on_dev=nested(LARGEST_DEPTH)),
        "model": lambda p: change(p, model=["combiner"]),
        "options": lambda p: change(p, options="all"),
        "leak": lambda p: change(p, leak=None),
        "marked": lambda p: change(p, leak__marked="no"),
        "known": lambda p: change(p, leak__known="many"),
        "below": lambda p: change(p, leak__below=[3]),
        "beneath": lambda p: change(p, below=[{"model": "combiner"}]),
        "key": lambda p: change(p, features__key=7),
        "true": lambda p: change(p, seed=True),
    }
    return ways[name]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def rehash(path: Path) -> None:
    change(path, weights_sha256=file_sha256(path / "weights.safetensors"))


def text(path: Path, old: str, new: str) -> None:
    file = path / "checkpoint.json"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut off", "weights.safetensors is not what checkpoint.json describes: cut off, or changed"),
        ("changed", "weights.safetensors is not what checkpoint.json describes: cut off, or changed"),
        ("no weights", "weights.safetensors is missing"),
        ("no safetensors", "weights.safetensors is no safetensors file"),
        ("pickle", "weights.safetensors is no safetensors file"),
        ("no json", "checkpoint.json is damaged"),
        ("bytes", "checkpoint.json is damaged"),
        ("list", "checkpoint.json is damaged: it is no record"),
        ("null", "checkpoint.json is damaged: it is no record"),
        ("nan", "checkpoint.json is damaged: NaN is no number"),
        ("infinity", "checkpoint.json is damaged: Infinity is no number"),
        ("long number", "checkpoint.json is damaged"),
        ("deep", "checkpoint.json is damaged"),
        ("nested", "checkpoint.json is damaged: it is nested more than 32 deep"),
        ("model", "checkpoint.json is damaged: no model as it should be"),
        ("options", "checkpoint.json is damaged: no options as it should be"),
        ("leak", "checkpoint.json is damaged: no leak, leak.below as it should be"),
        ("marked", "checkpoint.json is damaged: no leak as it should be"),
        ("known", "checkpoint.json is damaged: no leak as it should be"),
        ("below", "checkpoint.json is damaged: no leak as it should be"),
        ("beneath", "checkpoint.json is damaged: no below as it should be"),
        ("key", "checkpoint.json is damaged: no features.key as it should be"),
        ("true", "checkpoint.json is damaged: no seed as it should be"),
    ],
)
def test_a_spoilt_checkpoint_ends_in_one_line(benchmark: Benchmark, copy: Path, how: str, message: str) -> None:
    spoil(how)(copy)
    found = refused("evaluate", copy, "--benchmark", benchmark.path, "--out", copy / "results")
    assert message in found
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize("how", ["cut off", "changed", "no weights", "no json", "below"])
def test_to_train_again_repairs_a_damaged_checkpoint(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("mtbench.training.train.library_sha256", lambda *_: "0" * 64)  # whoever edits
    settings = TrainSettings(options={"epochs": 1, "dim": 2})
    path = train("combiner", benchmark, tmp_path, settings).path
    weights = (path / "weights.safetensors").read_bytes()
    assert train("combiner", benchmark, tmp_path, settings).known
    spoil(how)(path)
    again = train("combiner", benchmark, tmp_path, settings)
    assert (again.path, again.known) == (path, False)
    assert (path / "weights.safetensors").read_bytes() == weights
    assert open_checkpoint(path).record == again.record


def test_a_record_that_is_too_large_is_not_read(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtbench.models.checkpoint.LARGEST_RECORD", 1 << 10)
    with pytest.raises(MtbenchError, match="is damaged: it is larger than 0 MiB"):
        read_record(copy)


def test_weights_that_are_too_large_are_not_read(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtbench.models.checkpoint.LARGEST_WEIGHTS", 100)
    monkeypatch.setattr("mtbench.models.checkpoint.file_sha256", lambda path: pytest.fail("was read"))
    with pytest.raises(MtbenchError, match=r"weights\.safetensors is larger than 0 GiB, and is not read"):
        open_checkpoint(copy)


def test_a_record_nested_as_deep_as_allowed_is_read(copy: Path) -> None:
    assert read_record(change(copy, chosen_on_dev=nested(LARGEST_DEPTH - 3)))


def test_another_schema_is_told_before_anything_else(benchmark: Benchmark, copy: Path) -> None:
    (copy / "checkpoint.json").write_text('{"schema_version": 2}')
    found = refused("evaluate", copy, "--benchmark", benchmark.path)
    assert "has schema version 2; this mtbench reads 1" in found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 10**7, "kind": "clip4cir", "projection": 10**6}, "the weights do not fit the options of 'combiner'"),
        ({"kind": "clip4cir", "hidden": 10**18}, "the weights do not fit the options of 'combiner'"),
        ({"dim": 3}, "the weights do not fit the options of 'combiner'"),
        ({"kind": "clip4cir"}, "the weights do not fit the options of 'combiner'"),
        ({"dim": "wide"}, "dim: 'wide' is not a whole number"),
        ({"dim": None}, "dim: None is not a whole number"),
        ({"code": "print(1)"}, "code: no such option"),
        ({"epochs": 0}, "epochs must be 1 or more"),
    ],
)
def test_options_that_the_weights_do_not_fit_are_refused_before_memory_is_taken(
    benchmark: Benchmark, copy: Path, options: dict[str, Any], message: str
) -> None:
    change(copy, options={**read_record(copy)["options"], **options})
    start = time.perf_counter()
    assert message in refused("evaluate", copy, "--benchmark", benchmark.path)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"features": "many"},
        {"features": 10**12},
        {"features": 10**30},
        {"features": -3},
        {"features": 0},
        {"features": [3]},
        {"features": 3, "more": 1},
    ],
)
def test_inputs_that_the_weights_do_not_fit_are_refused(benchmark: Benchmark, copy: Path, inputs: Any) -> None:
    change(copy, inputs=inputs)
    assert "the weights do not fit the options of 'combiner'" in refused(
        "evaluate", copy, "--benchmark", benchmark.path
    )


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        ({"combiner": 3}, {}),
        ({"combiner": {"options": {}, "inputs": {"features": 10**9}}}, {}),
        ({"combiner": {"options": {"dim": "x"}, "inputs": {"features": 4}}}, {}),
        ({"combiner": {"options": {"run": 1}, "inputs": {"features": 4}}}, {}),
        ({"combiner": {"options": {"combiner": 1, "seed": []}, "inputs": {}}}, {}),
        (None, {"width": 10**15}),
        (None, {"skip": "none"}),
    ],
)
def test_a_hostile_memory_is_refused_in_one_line(
    benchmark: Benchmark, lstm: Path, tmp_path: Path, inputs: Any, options: Any
) -> None:
    copy = Path(shutil.copytree(lstm, tmp_path / "copy"))
    record = read_record(copy)
    change(copy, inputs=inputs or record["inputs"], options={**record["options"], **options})
    found = refused("evaluate", copy, "--benchmark", benchmark.path)
    assert "the weights do not fit the options of 'lstm'" in found
    assert len(found.splitlines()) == 1


def test_a_billion_layers_are_not_even_made_without_memory(benchmark: Benchmark, copy: Path) -> None:
    from mtbench.models.transformer import Transformer

    options = {"layers": 10**9}
    weights = load_file(copy / "weights.safetensors")
    inputs = {"combiner": {"options": {"dim": 4}, "inputs": {"features": 16}}}
    start = time.perf_counter()
    with pytest.raises(ValueError, match="many more weights than there are"):
        Transformer(**options).load(inputs, weights)
    assert time.perf_counter() - start < 5


def test_weights_of_another_type_are_refused(benchmark: Benchmark, copy: Path) -> None:
    weights = load_file(copy / "weights.safetensors")
    rewrite(copy, {name: value.double() for name, value in weights.items()})
    found = refused("evaluate", copy, "--benchmark", benchmark.path)
    assert "is float64" in found
    assert "not float32" in found


@pytest.mark.parametrize("how", ["more", "fewer"])
def test_weights_by_other_names_are_refused(benchmark: Benchmark, copy: Path, how: str) -> None:
    weights = load_file(copy / "weights.safetensors")
    if how == "more":
        weights["extra"] = torch.zeros(1)
    else:
        weights.pop("composer.weights")
    rewrite(copy, weights)
    found = refused("evaluate", copy, "--benchmark", benchmark.path)
    assert {"more": "extra is float32 (1,), not None", "fewer": "composer.weights is None, not float32 (2,)"}[
        how
    ] in found


def test_weights_that_are_no_numbers_give_no_scores(benchmark: Benchmark, copy: Path) -> None:
    weights = load_file(copy / "weights.safetensors")
    weights["composer.weights"] = torch.tensor([torch.nan, 1.0])
    rewrite(copy, weights)
    assert "are NaN or infinite" in refused("evaluate", copy, "--benchmark", benchmark.path, "--out", copy / "out")


@pytest.mark.parametrize("model", ["evil", "evil:Evil", "evil.py:Evil", "{path}/evil.py:Evil", "../combiner", ""])
def test_code_that_a_record_names_is_not_imported(
    benchmark: Benchmark, copy: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    (copy / "evil.py").write_text("raise SystemExit('was run')\n")
    monkeypatch.chdir(copy)
    monkeypatch.syspath_prepend(copy)
    change(copy, model=model.format(path=copy))
    found = refused("evaluate", copy, "--benchmark", benchmark.path)
    assert "is not registered here, and code that a checkpoint names is not run" in found


@pytest.mark.parametrize("model", ["bm25", "avg", "random"])
def test_a_record_of_a_model_without_weights_is_refused(benchmark: Benchmark, copy: Path, model: str) -> None:
    change(copy, model=model)
    assert f"is of the model {model!r}, which has no weights to load" in refused(
        "evaluate", copy, "--benchmark", benchmark.path
    )


# Of another task


def test_a_checkpoint_of_another_revision_is_refused(benchmark: Benchmark, copy: Path) -> None:
    change(copy, revision="f" * 64, benchmark="other")
    found = refused("evaluate", copy, "--benchmark", benchmark.path)
    assert f"was trained on other revision {'f' * 12}, but {benchmark.path} is letters revision" in found
    assert f"mtbench train combiner --benchmark {benchmark.path}" in found


@pytest.mark.parametrize(("field", "value"), [("key", "0" * 64), ("dim", 999), ("key", "")])
def test_a_checkpoint_of_other_features_is_refused(benchmark: Benchmark, copy: Path, field: str, value: Any) -> None:
    change(copy, **{f"features__{field}": value})
    found = refused("evaluate", copy, "--benchmark", benchmark.path)
    assert "was trained on the features tfidf-caption" in found
    assert "or train again" in found


def test_features_that_are_not_there_are_told(benchmark: Benchmark, copy: Path) -> None:
    found = refused("evaluate", change(copy, features_name="clip"), "--benchmark", benchmark.path)
    assert "no features named 'clip'" in found
    outside = refused("evaluate", change(copy, features_name="../../etc"), "--benchmark", benchmark.path)
    assert "features cannot be named" in outside
    (benchmark.path.parent / "beside").mkdir(exist_ok=True)
    (benchmark.path.parent / "beside" / "features.json").write_text("{")
    outside = refused("evaluate", change(copy, features_name="../../beside"), "--benchmark", benchmark.path)
    assert "features cannot be named" in outside  # and nothing there is read


def test_the_same_weights_with_another_mark_are_another_result(benchmark: Benchmark, copy: Path) -> None:
    words = ("evaluate", copy, "--benchmark", benchmark.path, "--out", copy / "out")
    assert "LEAK" not in printed(*words)
    change(copy, leak__marked=True)
    assert "LEAK" in printed(*words)


def test_other_words_are_refused_for_a_model_that_reads_them_and_its_features_are_not_opened(
    benchmark: Benchmark, copy: Path, tmp_path: Path
) -> None:
    assert {name for name in MODELS.names() if getattr(MODELS.get(name), "reads_words", False)} == {"cfir", "lexnet"}
    path = train("lexnet", benchmark, tmp_path, TrainSettings(options={"epochs": 1, "at_least": 1})).path
    on = ("--words", "caption", "--benchmark", benchmark.path, "--out", tmp_path / "out")
    (result,) = json.loads(printed("evaluate", path, *on, "--json"))
    assert (result["features"], result["proxy"]) == (None, "caption")
    change(path, words="attributes")
    found = refused("evaluate", path, *on, "--out", tmp_path / "again")
    assert f"{path} was trained on the words attributes, but these are caption. Give --words attributes" in found
    assert "combiner" in printed("evaluate", change(copy, words="attributes"), *on)  # its features tell the words


def test_a_checkpoint_under_another_one_must_fit_too(benchmark: Benchmark, copy: Path, tmp_path: Path) -> None:
    change(copy, revision="f" * 64)
    words = ("--benchmark", benchmark.path, "--set", f"combiner={copy}", "--out", tmp_path / "out")
    assert f"{copy} was trained on letters revision {'f' * 12}" in refused("train", "lstm", *words)
    assert f"{copy} was trained on letters revision {'f' * 12}" in refused("evaluate", "ewma", *words)


def test_a_memory_is_no_combiner(benchmark: Benchmark, lstm: Path, tmp_path: Path) -> None:
    words = ("--benchmark", benchmark.path, "--set", f"combiner={lstm}", "--out", tmp_path / "out")
    for command in (("train", "gru"), ("evaluate", "avg")):
        found = refused(*command, *words)
        assert f"{lstm} holds a Lstm, no combiner. Make one: mtbench train combiner" in found


def test_a_folder_without_a_record_is_no_checkpoint(benchmark: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert not is_checkpoint(tmp_path / "empty")
    found = refused("evaluate", tmp_path / "empty", "--benchmark", benchmark.path)
    assert "is no checkpoint: it has no checkpoint.json. Make one: mtbench train --help" in found


def test_a_checkpoint_takes_no_options_but_the_device(benchmark: Benchmark, combiner: Path, tmp_path: Path) -> None:
    words = ("evaluate", combiner, "--benchmark", benchmark.path, "--out", tmp_path)
    assert "it has its options, and takes no dim" in refused(*words, "--set", "device=cpu", "--set", "dim=3")
    assert "no device 'abacus' here" in refused(*words, "--set", "device=abacus")
    assert "combiner" in printed(*words, "--set", "device=cpu")


def test_a_checkpoint_has_the_seed_of_its_training_and_takes_no_other(
    benchmark: Benchmark, combiner: Path, tmp_path: Path
) -> None:
    with pytest.raises(MtbenchError, match=r"trained with seed \d+ and draws nothing any more: leave out --seed 5$"):
        evaluate(str(combiner), benchmark, tmp_path, Settings(seed=5))
    assert not list(tmp_path.iterdir())


def test_nothing_here_reads_a_pickle() -> None:
    package = Path(__file__).parents[1] / "mtbench"
    sources = [*(package / "models").rglob("*.py"), *(package / "training").rglob("*.py")]
    lines = [line for source in sources for line in source.read_text().splitlines()]
    assert not [line for line in lines if "import pickle" in line or "torch.load(" in line or "torch.save(" in line]
