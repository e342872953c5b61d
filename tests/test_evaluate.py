"""From a benchmark to a result that others can check: numbers by hand, files that agree, and nothing done twice."""

from __future__ import annotations

import gzip
import importlib
import json
import logging
import re
import shutil
import subprocess
from pathlib import Path

import ir_measures
import numpy as np
import pyarrow.parquet as pq
import pytest
from letters import CAPTIONS, MODELS, build_letters

import mtbench
from builders.pairs import Pairs
from mtbench.core.errors import MtbenchError
from mtbench.core.registry import MODELS as REGISTRY
from mtbench.data.benchmark import Benchmark
from mtbench.data.build import BuildOptions, build
from mtbench.evaluation.evaluate import evaluate
from mtbench.evaluation.inputs import Settings
from mtbench.evaluation.ranker import Query, Ranker
from mtbench.evaluation.record import _git
from mtbench.evaluation.scoring import score_run
from mtbench.features.store import build_encoder, encode
from mtbench.models.protocol import Catalogue

FILES = ["qrels.trec", "result.json", "run.parquet", "run.trec.gz", "transactions.parquet"]
ALL = ("random", "last-turn", "avg", "cat", "ewma", "bm25", "lookup")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_letters(tmp_path_factory.mktemp("built")).path


@pytest.fixture
def letters(built: Path, tmp_path: Path) -> Benchmark:
    """A copy of the benchmark that a test may write into."""
    return mtbench.load(shutil.copytree(built, tmp_path / "letters"))


@pytest.fixture
def models(tmp_path: Path) -> str:
    """The file of somebody's own models."""
    (tmp_path / "models.py").write_text(MODELS, encoding="utf-8")
    return str(tmp_path / "models.py")


@pytest.fixture
def ranx(monkeypatch: pytest.MonkeyPatch):
    """ranx as plain Python: its numba takes half a minute to compile what runs here in milliseconds."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    return importlib.import_module("ranx")


def only(folder: Path) -> Path:
    """The one result in a folder of results."""
    (found,) = folder.iterdir()
    return found


# What is written


def test_every_number_of_a_result_worked_out_by_hand(letters: Benchmark, models: str, tmp_path: Path) -> None:
    # Order ranks a b c d i e f g h j and k l m n o p q r s: i is fifth, j tenth, s ninth.
    # Left out are g h before i, g h i before j, and q r before s: i is fifth, j seventh, s seventh.
    record = evaluate(f"{models}:Order", letters, tmp_path / "results")

    def close(**measures: float) -> object:
        return pytest.approx(
            {name.replace("R", "R@") if name in ("R5", "R8") else name: v for name, v in measures.items()}
        )

    assert record["n"] == 3
    assert record["by_category"] == {
        "dress": {"n": 2, "measures": close(R5=1 / 2, R8=1 / 2, mean=1 / 2, MRR=0.15, rank=7.5, percentile=5 / 18)},
        "shirt": {"n": 1, "measures": close(R5=0, R8=0, mean=0, MRR=1 / 9, rank=9, percentile=0)},
    }
    assert record["measures"] == close(
        R5=1 / 4, R8=1 / 4, mean=1 / 4, MRR=(0.15 + 1 / 9) / 2, rank=8.25, percentile=5 / 36
    )
    assert record["micro"] == close(
        R5=1 / 3, R8=1 / 3, mean=1 / 3, MRR=(1 / 5 + 1 / 10 + 1 / 9) / 3, rank=9, percentile=5 / 27
    )
    assert record["by_turns"] == {
        "2": {
            "n": 2,
            "measures": close(R5=1 / 2, R8=1 / 2, mean=1 / 2, MRR=(1 / 5 + 1 / 9) / 2, rank=7, percentile=5 / 18),
        },
        "3": {"n": 1, "measures": close(R5=0, R8=0, mean=0, MRR=1 / 10, rank=10, percentile=0)},
    }
    # Candidates that are left: 8, 7 and 7, so percentiles 1 - 4/7, 0 and 0.
    assert record["own_references_excluded"] == close(
        R5=1 / 4,
        R8=1,
        mean=5 / 8,
        MRR=((1 / 5 + 1 / 7) / 2 + 1 / 7) / 2,
        rank=(6 + 7) / 2,
        percentile=3 / 7 / 4,
    )
    assert record["ties_optimistic"] == record["ties_pessimistic"] == record["measures"]
    # Drawn within a category: two of {1, 0} for dress, always 0 for shirt, so means of 0, 1/4 or 1/2.
    assert record["intervals"]["R@5"] == [0, 0.5]
    assert record["interval_method"]["clusters"] == 3


def test_a_model_that_cannot_tell_images_apart_gets_what_chance_gives(letters: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "flat.py").write_text(
        "import numpy as np\n"
        "class Flat:\n"
        "    def score(self, histories, image_ids, catalogue):\n"
        "        return np.zeros((len(histories), len(image_ids)))\n"
    )
    record = evaluate(f"{tmp_path / 'flat.py'}:Flat", letters, tmp_path / "results")
    assert record["measures"]["R@5"] == pytest.approx((5 / 10 + 5 / 9) / 2)
    assert record["own_references_excluded"]["R@5"] == pytest.approx(((5 / 8 + 5 / 7) / 2 + 5 / 7) / 2)
    assert record["ties_optimistic"]["R@5"] == 1
    assert record["ties_pessimistic"]["R@5"] == 0
    assert record["measures"]["rank"] == pytest.approx((5.5 + 5) / 2)


def test_a_record_says_what_was_run_on_what_and_how(letters: Benchmark, models: str, tmp_path: Path) -> None:
    record = evaluate(f"{models}:Order", letters, tmp_path / "results", Settings(seed=7))
    folder = only(tmp_path / "results")
    assert folder.name == f"Order-{record['key'][:8]}"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert json.loads((folder / "result.json").read_text()) == record
    assert record["schema_version"] == 1
    assert record["status"] == "complete"
    assert record["options"] == {"seed": 7}
    assert (record["benchmark"], record["revision"]) == ("letters", letters.revision)
    assert record["protocol"]["own_references"] == "kept"
    assert [(g["category"], g["images"], g["sha256"]) for g in record["galleries"]] == [
        (name, size, letters.gallery("test", name).sha256) for name, size in (("dress", 10), ("shirt", 9))
    ]
    assert record["proxy"] == "none"
    assert record["features"] is None
    assert record["leakage"]["last_edge"] == 0
    assert set(record["seconds"]) == {"recall"}
    assert record["environment"]["mtbench"] == mtbench.__version__
    assert "numpy" in record["environment"]["packages"]


def test_the_files_of_a_result_agree_with_each_other(letters: Benchmark, models: str, tmp_path: Path) -> None:
    record = evaluate(f"{models}:Order", letters, tmp_path / "results")
    folder = only(tmp_path / "results")
    run = pq.read_table(folder / "run.parquet").to_pylist()
    assert [(row["transaction_id"], row["image_id"], row["rank"]) for row in run] == [
        (name, image, rank)
        for name, order in (
            ("dress.test.0000", "abcdiefghj"),
            ("dress.test.0001", "abcdiefghj"),
            ("shirt.test.0000", "klmnopqrs"),
        )
        for rank, image in enumerate(order, start=1)
    ]
    text = gzip.decompress((folder / "run.trec.gz").read_bytes()).decode().splitlines()
    assert text[4] == "dress.test.0000 Q0 i 5 -4.0 Order"
    assert [line.split()[:5] for line in text] == [
        [row["transaction_id"], "Q0", row["image_id"], str(row["rank"]), str(row["score"])] for row in run
    ]
    assert (folder / "qrels.trec").read_text().splitlines() == [
        "dress.test.0000 0 i 1",
        "dress.test.0001 0 j 1",
        "shirt.test.0000 0 s 1",
    ]
    values = pq.read_table(folder / "transactions.parquet").to_pydict()
    assert values["transaction_id"] == ["dress.test.0000", "dress.test.0001", "shirt.test.0000"]
    assert values["R@5"] == [1, 0, 0]
    assert values["rank"] == [5, 10, 9]
    for file in ("run.parquet", "run.trec.gz"):
        names = ("R@5", "R@8", "mean", "MRR", "rank", "percentile")
        found = score_run(folder / file, letters, measures=names).to_dict()
        for part in ("n", "measures", "micro", "by_category"):
            assert found[part] == record[part]
        assert found["own_references_excluded"]["measures"] == record["own_references_excluded"]


def test_without_ties_ranx_and_ir_measures_get_the_same_from_the_run(letters: Benchmark, tmp_path: Path, ranx) -> None:
    record = evaluate("random", letters, tmp_path / "results", Settings(seed=2))
    folder = only(tmp_path / "results")
    plain = tmp_path / "run.trec"
    plain.write_bytes(gzip.decompress((folder / "run.trec.gz").read_bytes()))
    by_ranx = ranx.evaluate(
        ranx.Qrels.from_file(str(folder / "qrels.trec"), kind="trec"),
        ranx.Run.from_file(str(plain), kind="trec"),
        ["hit_rate@5", "hit_rate@8", "mrr"],
    )
    measures = {name: ir_measures.parse_measure(name) for name in ("Success@5", "Success@8", "RR")}
    by_trec = ir_measures.calc_aggregate(
        list(measures.values()),
        ir_measures.read_trec_qrels(str(folder / "qrels.trec")),
        ir_measures.read_trec_run(str(plain)),
    )
    ours = record["micro"]
    assert ours["R@8"] > 0
    for name, theirs in {"R@5": "5", "R@8": "8"}.items():
        assert by_ranx[f"hit_rate@{theirs}"] == pytest.approx(ours[name])
        assert by_trec[measures[f"Success@{theirs}"]] == pytest.approx(ours[name])
    assert by_ranx["mrr"] == pytest.approx(ours["MRR"])
    assert by_trec[measures["RR"]] == pytest.approx(ours["MRR"])


def test_the_run_keeps_the_order_of_the_transactions_whatever_the_order_of_categories(
    letters: Benchmark, tmp_path: Path
) -> None:
    rows = letters.transactions("test")
    rows.reverse()  # the list that the benchmark holds
    evaluate("random", letters, tmp_path / "results")
    run = pq.read_table(only(tmp_path / "results") / "run.parquet").column("transaction_id").to_pylist()
    assert list(dict.fromkeys(run)) == [t.transaction_id for t in rows]


def test_a_limited_result_says_so(letters: Benchmark, tmp_path: Path) -> None:
    record = evaluate("random", letters, tmp_path / "results", Settings(limit=1))
    assert (record["status"], record["limit"], record["n"]) == ("limited", 1, 1)
    assert list(record["by_category"]) == ["dress"]
    whole = evaluate("random", letters, tmp_path / "results")
    assert (whole["status"], whole["n"]) == ("complete", 3)


def test_only_the_best_candidates_are_kept_in_the_run(letters: Benchmark, models: str, tmp_path: Path) -> None:
    record = evaluate(f"{models}:Order", letters, tmp_path / "results", Settings(depth=4))
    run = pq.read_table(only(tmp_path / "results") / "run.parquet").to_pydict()
    assert run["image_id"] == [*"abcd", *"abcd", *"klmn"]
    assert record["measures"]["rank"] == 8.25  # of whole galleries all the same


def test_ids_with_blanks_cost_the_trec_files_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("from,to,wish,part\nred shoe,b,is blue,test\nb,c,is new,test\n")
    columns = {"reference": "from", "target": "to", "feedback": ("wish",), "split_column": "part"}
    benchmark = build(
        "pairs", Pairs(), table, tmp_path / "b", BuildOptions(split="official", extra=columns), progress=False
    )
    with caplog.at_level(logging.WARNING):
        evaluate("random", benchmark, tmp_path / "results")
    folder = only(tmp_path / "results")
    assert sorted(path.name for path in folder.iterdir()) == ["result.json", "run.parquet", "transactions.parquet"]
    assert score_run(folder / "run.parquet", benchmark).to_dict()["n"] == 1
    assert "TREC text cannot hold 'red shoe'" in caplog.text


# What is not done twice


def asked(log: Path) -> int:
    return len((log / "asked").read_text().splitlines()) if (log / "asked").exists() else 0


def test_what_is_there_is_not_ranked_again(letters: Benchmark, models: str, tmp_path: Path) -> None:
    (log := tmp_path / "log").mkdir()
    settings = Settings(options={"log": str(log)})
    first = evaluate(f"{models}:Order", letters, tmp_path / "results", settings)
    assert asked(log) == 2  # once for each category
    assert evaluate(f"{models}:Order", mtbench.load(letters.path), tmp_path / "results", settings) == first
    assert asked(log) == 2


@pytest.mark.parametrize(
    "change", ["option", "source", "helper", "library", "seed", "captions", "limit", "depth", "words", "benchmark"]
)
def test_what_changed_is_ranked_again(
    change: str, models: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "results"
    (log := tmp_path / "log").mkdir()
    captions = dict(CAPTIONS)
    letters = build_letters(tmp_path, captions=captions)
    options = {"log": str(log)}
    before = evaluate(f"{models}:Order", letters, results, Settings(options=options))
    settings = {
        "option": Settings(options={**options, "best": "srqponmlkjihgfedcba"}),
        "seed": Settings(options=options, seed=1),
        "limit": Settings(options=options, limit=3),
        "depth": Settings(options=options, depth=5),
    }.get(change, Settings(options=options))
    if change == "source":
        Path(models).write_text(MODELS + "\n# edited\n", encoding="utf-8")
    if change == "helper":
        Path(models).with_name("helper.py").write_text("# the models may import it\n", encoding="utf-8")
    if change == "library":
        monkeypatch.setattr("mtbench.evaluation.inputs.library_sha256", lambda: "other code")
    if change == "captions":
        again = build_letters(tmp_path, captions={**captions, "a": "a purple dress"}, name="again")
        assert again.revision == letters.revision  # the same task, seen through other words
        letters = again
    if change == "words":
        letters = build_letters(tmp_path, captions=None, name="wordless")
    if change == "benchmark":
        letters.manifest["revision"] = letters.revision = "0" * 64
    after = evaluate(f"{models}:Order", letters, results, settings)
    assert asked(log) > 2
    assert after["key"] != before["key"]
    assert len(list(results.iterdir())) == 2


def test_features_encoded_anew_under_their_old_name_are_other_features(letters: Benchmark, tmp_path: Path) -> None:
    results = tmp_path / "results"
    encode(letters, build_encoder("tfidf", {"dims": "2"}), "mine", spec="tfidf", progress=False)
    before = evaluate("last-turn", letters, results, Settings(features="mine"))
    assert evaluate("last-turn", letters, results, Settings(features="mine")) == before
    encode(letters, build_encoder("tfidf", {"dims": "9"}), "mine", spec="tfidf", progress=False, overwrite=True)
    after = evaluate("last-turn", letters, results, Settings(features="mine"))
    assert (before["features"]["dim"], after["features"]["dim"]) == (2, 9)


def test_words_are_encoded_on_demand_once_and_features_of_the_plain_name_go_first(
    letters: Benchmark, tmp_path: Path
) -> None:
    made = evaluate("last-turn", letters, tmp_path / "results")
    assert made["features"]["name"] == "tfidf-caption"
    assert made["seconds"]["encode"] > 0
    assert "encode" not in evaluate("avg", letters, tmp_path / "results")["seconds"]
    assert evaluate("last-turn", letters, tmp_path / "results") == made
    encode(letters, build_encoder("tfidf", {"dims": "3"}), "tfidf", spec="tfidf", progress=False)
    mine = evaluate("last-turn", letters, tmp_path / "results")
    assert (mine["features"]["name"], mine["features"]["dim"]) == ("tfidf", 3)


def test_an_evaluation_that_is_interrupted_leaves_nothing_and_starts_again(
    letters: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "results"

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    for where in ("mtbench.evaluation.results.write_qrels", "mtbench.models.random.Random.score"):
        with monkeypatch.context() as patch:
            patch.setattr(where, stop)
            with pytest.raises(KeyboardInterrupt):
                evaluate("random", letters, results)
        assert not results.exists() or list(results.iterdir()) == []
    evaluate("random", letters, results)
    assert sorted(path.name for path in only(results).iterdir()) == FILES


def test_a_result_of_another_schema_is_made_again_and_a_damaged_one_is_named(
    letters: Benchmark, tmp_path: Path
) -> None:
    first = evaluate("random", letters, tmp_path / "results")
    path = only(tmp_path / "results") / "result.json"
    path.write_text(json.dumps({**first, "schema_version": 0}))
    assert evaluate("random", letters, tmp_path / "results")["measures"] == first["measures"]
    assert json.loads(path.read_text())["schema_version"] == 1
    path.write_text(path.read_text()[:40])
    with pytest.raises(MtbenchError, match=r"result\.json is no result .* remove the folder and run again"):
        evaluate("random", letters, tmp_path / "results")


# What a model may see


class Spy:
    """Notes all it is given."""

    def __init__(self) -> None:
        self.learned = ""
        self.ranked = ""
        SEEN.append(self)

    def fit(self, train, dev, catalogue):
        for fold in (train, dev):
            assert len(fold.histories) == len(fold.targets)
            assert all(len(h) == len(t) for h, t in zip(fold.histories, fold.targets, strict=True))
        self.learned = repr([(fold.histories, fold.targets) for fold in (train, dev)])
        self.galleries = [fold.galleries for fold in (train, dev)]
        self.of_dev = dev.score(self)
        self.of_train = train.score(self)
        return {"of_dev": np.float32(self.of_dev), "counts": np.arange(2)}

    def score(self, histories, image_ids, catalogue):
        self.ranked = repr(histories)
        return np.tile([image in "fp" for image in image_ids], (len(histories), 1))


SEEN: list[Spy] = []


def test_fit_is_given_train_and_dev_and_nothing_of_test(
    letters: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(REGISTRY._decorated, "spy", Spy)
    record = evaluate("spy", letters, tmp_path / "results")
    spy = SEEN.pop()
    known = [t for split in ("train", "dev") for t in letters.transactions(split)]
    for transaction in known:
        assert repr(transaction.history(joiner=" and ")) in spy.learned
        assert repr(tuple(turn.target for turn in transaction.turns)) in spy.learned
    for transaction in letters.transactions("test"):
        assert not any(f"'{image}'" in spy.learned for image in transaction.images)
    assert [{g.split for g in galleries.values()} for galleries in spy.galleries] == [{"train"}, {"dev"}]
    # It puts f and p first, the targets of dev. Behind them c ties with 8 other dresses, and m with 7 other shirts.
    assert spy.of_dev == 1
    assert spy.of_train == pytest.approx(np.mean([(4 / 9 + 7 / 9) / 2, (4 / 8 + 7 / 8) / 2]))
    assert record["chosen_on_dev"] == {"of_dev": 1.0, "counts": [0, 1]}
    # and what was ranked last were histories, without their targets
    assert "'s'" not in spy.ranked
    assert "'q'" in spy.ranked


@pytest.mark.parametrize("name", ALL)
def test_other_targets_change_no_score_of_any_model(name: str, letters: Benchmark) -> None:
    model = REGISTRY.get(name)()
    features = encode(letters, build_encoder("tfidf", {}), "tfidf", spec="tfidf", progress=False)
    catalogue = Catalogue(letters.images, features=lambda: features)
    galleries = {category: letters.gallery("test", category) for category in ("dress", "shirt")}
    histories = letters.histories("test")

    def scores(targets: str) -> list[list[float]]:
        queries = [Query(history, target) for history, target in zip(histories, targets, strict=True)]
        found = Ranker(model, galleries, catalogue, depth=10).rank(queries)
        return [ranks.scores.tolist() for _, ranks in found.values()]

    np.testing.assert_equal(scores("ijs"), scores("abk"))  # NaN beyond the nine shirts


def test_all_models_that_need_no_training_run_and_say_which_proxy_they_read(letters: Benchmark, tmp_path: Path) -> None:
    records = {name: evaluate(name, letters, tmp_path / "results") for name in ALL}
    assert {name: record["proxy"] for name, record in records.items()} == {
        **dict.fromkeys(ALL, "caption"),
        "random": "none",
    }
    assert records["ewma"]["chosen_on_dev"].keys() == {"reference_weight", "alpha"}
    assert records["lookup"]["chosen_on_dev"]["references"] == 8
    assert records["bm25"]["features"] is None
    assert records["avg"]["features"]["encoder"] == "tfidf"


# Outside models, right and wrong


def test_an_embedding_model_from_a_file_is_ranked_by_cosine(letters: Benchmark, models: str, tmp_path: Path) -> None:
    record = evaluate(f"{models}:Letters", letters, tmp_path / "results")
    # The last reference itself is nearest. Beside h stand g and i, beside i stand h and j, beside r stand q and s;
    # floats decide between two letters at one distance, so a target is second or third.
    assert record["measures"]["R@5"] == 1
    values = pq.read_table(only(tmp_path / "results") / "transactions.parquet").column("rank").to_pylist()
    assert all(2 <= rank <= 3 for rank in values)
    assert record["own_references_excluded"]["rank"] == 1


WRONG = """\
import numpy as np

class Base:
    def score(self, histories, image_ids, catalogue):
        return np.zeros((len(histories), len(image_ids)))

class NotFinite(Base):
    def score(self, *given):
        return super().score(*given) + np.nan

class Flat(Base):
    def score(self, *given):
        return super().score(*given)[0]

class Ragged(Base):
    def score(self, histories, image_ids, catalogue):
        return [[0.0] * (n + 1) for n in range(len(histories))]

class Texts(Base):
    def score(self, histories, image_ids, catalogue):
        return [["high"] * len(image_ids)] * len(histories)

class Nothing(Base):
    def score(self, histories, image_ids, catalogue):
        return None

class Neither:
    def rank(self, histories): ...

class Half:
    similarity = "cosine"
    def embed_images(self, image_ids, catalogue):
        return np.ones((len(image_ids), 2))

class Embedding(Half):
    def embed_histories(self, histories, catalogue):
        return np.ones((len(histories), 2))

class TooMany(Embedding):
    def embed_images(self, image_ids, catalogue):
        return np.ones((len(image_ids) + 1, 2))

class OneForAll(Embedding):
    def embed_histories(self, histories, catalogue):
        return np.ones((1, 2))

class Wider(Embedding):
    def embed_histories(self, histories, catalogue):
        return np.ones((len(histories), 3))

class Euclid(Embedding):
    similarity = "euclid"

class FitsItself(Base):
    def fit(self, train, dev, catalogue):
        return self

class FitsASet(Base):
    def fit(self, train, dev, catalogue):
        return {"kept": {1, 2}}

class Reads(Base):
    def score(self, histories, image_ids, catalogue):
        catalogue.image_features(image_ids)
        return super().score(histories, image_ids, catalogue)

class Asks(Base):
    def __init__(self, size):
        self.size = size
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NotFinite", r"NotFinite: scores: queries: 2 of 2 are NaN or infinite, .*\n.*every candidate a finite score"),
        ("Flat", r"Flat: scores have shape \(10,\), but \(2, 10\) was asked for"),
        ("Ragged", r"Ragged\.score gives no array: .*inhomogeneous"),
        ("Texts", r"Texts\.score gives no numbers, but list"),
        ("Nothing", r"Nothing\.score gives no numbers, but NoneType"),
        ("Neither", r"Neither is no model: it needs `score`, or .* lacks embed_histories, embed_images, similarity"),
        ("Half", r"Half is no model: .* lacks embed_histories$"),
        ("TooMany", r"TooMany\.embed_images gives shape \(11, 2\), but \(10, d\) was asked for"),
        ("OneForAll", r"OneForAll\.embed_histories gives shape \(1, 2\), but \(2, d\) was asked for"),
        ("Wider", r"Wider: queries \(2, 3\) and gallery \(10, 2\)"),
        ("Euclid", r"Euclid: no similarity named 'euclid'.* cosine, dot"),
        ("FitsItself", r"`fit` must return a mapping, or None, not FitsItself"),
        ("FitsASet", r"`fit` must return what can be written as JSON: {1, 2}"),
        ("Asks", r"size: must be given"),
    ],
)
def test_a_model_that_does_not_keep_to_the_protocol_is_refused_in_words(
    name: str, message: str, letters: Benchmark, tmp_path: Path
) -> None:
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    with pytest.raises(MtbenchError, match=message):
        evaluate(f"{tmp_path / 'wrong.py'}:{name}", letters, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_scoring_method_may_stand_beside_half_an_embedding(letters: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "both.py").write_text(WRONG + "\nclass Both(Half, Base): ...\n", encoding="utf-8")
    assert evaluate(f"{tmp_path / 'both.py'}:Both", letters, tmp_path / "results")["n"] == 3


# Settings, right and wrong


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("emwa", Settings(), "no model named 'emwa'. Did you mean 'ewma'"),
        (
            "ewma",
            Settings(options={"alfa": "1"}),
            r"alfa: no such option\. Did you mean 'alpha'\?\nOptions: alpha",
        ),
        ("ewma", Settings(split="tset"), "no split named 'tset'. Did you mean 'test'"),
        ("ewma", Settings(features="clip"), "ewma: no features named 'clip'. .*Make some: mtbench encode"),
        ("bm25", Settings(words="captions"), "no words named 'captions'. Did you mean 'caption'"),
        ("bm25", Settings(words="caption+attributes"), "no attributes to stand for its images. It has: caption"),
        ("random", Settings(seed=-1), "the seed must be 0 or more, not -1"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_any_work(
    model: str, settings: Settings, message: str, letters: Benchmark, tmp_path: Path
) -> None:
    with pytest.raises(MtbenchError, match=message):
        evaluate(model, letters, tmp_path / "results", settings)
    assert not (tmp_path / "results").exists()


def test_results_cannot_go_where_a_file_is(letters: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(MtbenchError, match="file is a file; give another folder"):
            evaluate("random", letters, out)


def test_a_part_without_transactions_cannot_be_ranked(letters: Benchmark, tmp_path: Path) -> None:
    letters.transactions("dev").clear()
    with pytest.raises(MtbenchError, match="has no dev transactions to rank"):
        evaluate("random", letters, tmp_path / "results", Settings(split="dev"))
    # and a model that would choose its options there keeps its defaults
    assert evaluate("bm25", letters, tmp_path / "results")["chosen_on_dev"] == {"reference_weight": 0.2, "decay": 0.5}


def test_where_no_words_stand_for_images_lexical_models_are_at_chance_and_vectors_are_refused(tmp_path: Path) -> None:
    wordless = build_letters(tmp_path, captions=None)
    record = evaluate("bm25", wordless, tmp_path / "results")
    assert record["proxy"] == "none"
    assert record["measures"]["R@5"] == pytest.approx((5 / 10 + 5 / 9) / 2)
    with pytest.raises(MtbenchError, match="caption"):
        evaluate("ewma", wordless, tmp_path / "results")
    with pytest.raises(MtbenchError, match=r"has no caption to stand for its images\. It has: no words"):
        evaluate("bm25", wordless, tmp_path / "results", Settings(words="caption"))


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_that_of_the_checkout_a_package_belongs_to_and_of_no_other(tmp_path: Path) -> None:
    package, installed = tmp_path / "mtbench", tmp_path / ".venv" / "site-packages" / "mtbench"
    for folder in (package, installed):
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
    assert _git(package) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=N", "-c", "user.email=n@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "All"]):
        subprocess.run([*git, *arguments], check=True)
    found = _git(package)
    assert found is not None
    assert re.fullmatch(r"[0-9a-f]{40}", found["commit"])
    assert found["dirty"] is False
    (package / "new.py").touch()
    assert _git(package) == {**found, "dirty": True}
    assert _git(installed) is None  # a wheel in the .venv of a checkout need not be of that commit


def test_an_edited_evaluator_or_file_of_weights_is_not_answered_from_the_shelf(
    letters: Benchmark, tmp_path: Path
) -> None:
    study, own = tmp_path / "study.py", tmp_path / "own"
    own.mkdir()
    (own / "weighted.py").write_text(
        "from pathlib import Path\nimport numpy as np\n"
        "class Weighted:\n"
        "    def __init__(self, *, weights: Path):\n        self.best = weights.read_text()\n"
        "    def score(self, histories, image_ids, catalogue):\n"
        "        return np.tile([-float(self.best.index(i)) for i in image_ids], (len(histories), 1))\n",
        encoding="utf-8",
    )
    weights = tmp_path / "weights.txt"
    found = []
    for answer, best in ((1, "abcdiefghjklmnopqrs"), (2, "abcdiefghjklmnopqrs"), (2, "iabcdefghjklmnopqrs")):
        study.write_text(f"class S:\n    def run(self, study):\n        return {{'x': {answer}}}\n", encoding="utf-8")
        weights.write_text(best)
        settings = Settings(evaluators=[f"{study}:S"], options={"weights": str(weights)})
        record = evaluate(f"{own / 'weighted.py'}:Weighted", letters, tmp_path / "results", settings)
        found.append((record["studies"][f"{study}:S"]["x"], record["by_turns"]["2"]["measures"]["R@5"]))
    assert [x for x, _ in found] == [1, 2, 2]
    assert found[0][1] == found[1][1] == 1 / 2
    assert len(list((tmp_path / "results").iterdir())) == 3


def test_words_that_were_changed_after_the_build_are_refused(letters: Benchmark) -> None:
    path = letters.path / "images" / "test.parquet"
    table = pq.read_table(path)
    column = table.schema.get_field_index("caption")
    pq.write_table(table.set_column(column, "caption", [["a shoe"] * len(table)]), path)
    with pytest.raises(MtbenchError, match=r"its caption column is not the one .* Build it again"):
        mtbench.load(letters.path)
