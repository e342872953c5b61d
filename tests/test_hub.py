"""The dataset card as `datasets` reads it; uploads to, and downloads from, a small hub of this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from huggingface_hub import DatasetCard

from mtbench.cli import main
from mtbench.core.errors import MtbenchError
from mtbench.data.card import card
from mtbench.data.hub import push

OURS = {"ours": {"2": 2, "3": 1}, "difference": {"2": -294, "3": 0}}
MANIFEST: dict[str, Any] = {
    "name": "tiny",
    "revision": "ab12" * 16,
    "builder": "multiturn-fashioniq",
    "licence": "CDLA-Permissive-1.0",
    "notes": ["Drawn by hand."],
    "options": {"raw_pairs": "fashioniq"},
    "chains": {
        "policy": "one-per-target",
        "min_turns": 2,
        "max_turns": 4,
        "cycles": "stop",
        "same_category": None,
    },
    "split": {"policy": "official", "seed": 0, "dev_share": 0.1},
    "protocol": {"gallery": "split-list", "joiner": " and "},
    "sources": [
        {
            "path": "pairs.json",
            "sha256": "f" * 64,
            "size": 12345,
            "url": "https://example.org/pairs.json",
            "licence": "MIT",
        },
        {"path": "own.csv", "sha256": "e" * 64, "size": 7, "url": None, "licence": "your own"},
    ],
    "statistics": {
        "splits": {
            "test": {
                "transactions": 3,
                "images": 1200,
                "turns": {"2": 2, "3": 1},
                "by_category": {"dress": 2, "shirt": 1},
            },
            "train": {"transactions": 1, "images": 2, "turns": {"4": 1}, "by_category": {"dress": 1}},
            "dev": {"transactions": 0, "images": 0, "turns": {}, "by_category": {}},
        }
    },
    "published": [
        {"name": "Paper", "split": "test", "turns": {"2": 296, "3": 1}, "source": "Table 1"} | OURS,
    ],
    "faults": {"self-hop": {"count": 1234, "examples": ["dress.val.0001", "a|b"]}},
    "proxies": {"caption": {"coverage": 0.875, "sha256": "c" * 64}},
    "audit": {
        "test": {
            "transactions": 3,
            "edge": 1,
            "last_edge": 1,
            "all_edges": 0,
            "sub_chain": 0,
            "final_target": 2,
            "image": 3,
        }
    },
}
TURNS = pa.list_(pa.struct([("reference", pa.string()), ("feedback", pa.list_(pa.string())), ("target", pa.string())]))


def write_folder(folder: Path, *, dev: int = 1) -> Path:
    for split, rows in {"train": 2, "dev": dev, "test": 1}.items():
        turn = {"reference": "a", "feedback": ["is red"], "target": "b"}
        tables = {
            "transactions": pa.table(
                {
                    "transaction_id": pa.array([f"{split}.{n}" for n in range(rows)], pa.string()),
                    "turns": pa.array([[turn, turn]] * rows, TURNS),
                }
            ),
            "images": pa.table({"image_id": pa.array(["a", "b"][:rows], pa.string())}),
        }
        for kind, table in tables.items():
            (folder / kind).mkdir(parents=True, exist_ok=True)
            pq.write_table(table, folder / kind / f"{split}.parquet")
    parts = MANIFEST["statistics"]["splits"]
    filled = {**parts, "dev": {**parts["dev"], "transactions": dev, "images": dev}}
    manifest = {**MANIFEST, "statistics": {"splits": filled}}
    (folder / "benchmark.json").write_text(json.dumps(manifest))
    (folder / "README.md").write_text(card(manifest))
    return folder


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_front_matter_says_what_the_hub_wants_to_know() -> None:
    data = DatasetCard(card(MANIFEST)).data
    assert data.pretty_name == "tiny" and data.language == ["en"] and data.size_categories == ["n<1K"]
    assert data.license == "cdla-permissive-1.0"
    assert [config["config_name"] for config in data.configs] == ["transactions", "images"]
    assert data.configs[1]["data_files"][1] == {"split": "test", "path": "images/test.parquet"}


def test_an_empty_split_is_left_out_as_datasets_cannot_read_it() -> None:
    for config in DatasetCard(card(MANIFEST)).data.configs:
        assert [file["split"] for file in config["data_files"]] == ["train", "test"]


@pytest.mark.parametrize(
    ("licence", "declared"),
    [("MIT", ("mit", None)), ("none stated", ("unknown", None)), ("your own", ("other", "your own"))],
)
def test_a_licence_unknown_to_the_hub_is_declared_as_other(licence: str, declared: tuple[str, str | None]) -> None:
    data = DatasetCard(card({**MANIFEST, "licence": licence})).data
    assert (data.license, data.get("license_name")) == declared


def test_the_card_shows_the_real_numbers() -> None:
    found = lines(card(MANIFEST))
    for line in [
        "| train | 1 | 0 | 0 | 1 | 2 |",
        "| test | 3 | 2 | 1 | 0 | 1,200 |",
        "| test | 2 | 1 |",
        "| Paper | test | 2 | 296 | 2 | -294 | Table 1 |",
        "| Paper | test | 3 | 1 | 1 | +0 | Table 1 |",
        "| self-hop | 1,234 | `dress.val.0001`, `a\\|b` |",
        "| chains | cycles | `stop` |",
        "| options | raw_pairs | `fashioniq` |",
        "| protocol | joiner | ` and ` |",
        f"| caption | 87.5% | `{'c' * 64}` |",
        f"| [pairs.json](https://example.org/pairs.json) | MIT | 12,345 | `{'f' * 64}` |",
        f"| own.csv | your own | 7 | `{'e' * 64}` |",
        "| test | 3 | 1 | 1 | 0 | 0 | 2 | 3 |",
        "Drawn by hand.",
    ]:
        assert line in found, line
    assert found.index("| train | 1 | 0 | 0 | 1 | 2 |") < found.index("| test | 3 | 2 | 1 | 0 | 1,200 |")


def test_a_section_without_content_is_left_out() -> None:
    text = card({**MANIFEST, "sources": [], "faults": {}, "published": [], "proxies": {}})
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == ["## Transactions", "## How it was built", "## Protocol", "## Leakage", "## Use"]


@pytest.mark.parametrize("dev", [1, 0])
def test_datasets_reads_both_configs_without_a_network(tmp_path: Path, dev: int) -> None:
    folder = write_folder(tmp_path / "tiny", dev=dev)
    code = """
import sys
from datasets import load_dataset
for config in "transactions", "images":
    print({split: len(rows) for split, rows in load_dataset(sys.argv[1], config).items()})
rows = load_dataset(sys.argv[1], split="test")
print(rows[0]["turns"][1]["feedback"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, folder],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sizes = str({"train": 2, "dev": 1, "test": 1} if dev else {"train": 2, "test": 1})
    assert done.stdout.splitlines() == [sizes, sizes, "['is red']"]


COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """The few endpoints of a hub that an upload and a download need; keeps what it received, and gives it again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self.received: dict[str, bytes] = {}
        self.created: dict[str, Any] = {}
        self.token = "Bearer hf_right"
        self.stated: dict[str, int] = {}
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self._body()
        if self.headers["Authorization"] != self.server.token:
            return self._answer(401, {"error": "Invalid user token"})
        if self.path == "/api/repos/create":
            self.server.created = json.loads(body)
            kind = "datasets/" * (self.server.created.get("type") == "dataset")
            return self._answer(200, {"url": f"{self.server.endpoint}/{kind}me/{self.server.created['name']}"})
        if "/preupload/" in self.path:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self._answer(200, {"files": files})
        if "/commit/" in self.path:
            for row in map(json.loads, body.splitlines()):
                if row["key"] == "file":
                    self.server.received[row["value"]["path"]] = base64.b64decode(row["value"]["content"])
            return self._answer(
                200, {"commitUrl": f"{self.server.endpoint}/datasets/me/tiny/commit/1", "commitOid": "1"}
            )
        return self._answer(200, {"warnings": [], "errors": []})  # validate-yaml

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        received, path = self.server.received, self.path.partition("?")[0]
        if path in ("/api/models/me/mine", "/api/models/me/mine/revision/main"):
            files = [
                {"rfilename": name, "size": self.server.stated.get(name, len(content))}
                for name, content in received.items()
            ]
            return self._answer(200, {"id": "me/mine", "modelId": "me/mine", "sha": COMMIT, "siblings": files})
        name = path.partition("/me/mine/resolve/main/")[2]
        if name not in received:
            return self._answer(404, {"error": "not found"})
        self.server.asked.append(name)
        headers = {"ETag": f'"{hashlib.sha1(received[name]).hexdigest()}"', "X-Repo-Commit": COMMIT}
        return self._answer(200, received[name], headers)

    def _body(self) -> bytes:
        if length := self.headers["Content-Length"]:
            return self.rfile.read(int(length))
        body = b""  # the commit is sent in chunks
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of this machine are asked directly, whatever proxy it is behind."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_the_benchmark_is_uploaded_and_what_is_of_this_machine_is_not(hub: Hub, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tiny")
    for stays in [
        "features/a/x.npy",
        "results/r.json",
        "checkpoints/a-0/checkpoint.json",
        "sweeps/lstm-width/checkpoints/a-0/checkpoint.json",
        "simulations/bm25-template-0/turns.parquet",
        "simulators/llm/1-2.jsonl",
        "local.json",
        ".hidden",
        "images/.part",
        ".cache/x",
    ]:
        (folder / stays).parent.mkdir(parents=True, exist_ok=True)
        (folder / stays).write_text("{}")
    address = push(folder, "me/tiny", private=True, token="hf_right", endpoint=hub.endpoint)
    assert address == f"{hub.endpoint}/datasets/me/tiny"
    assert sorted(hub.received) == [
        "README.md",
        "benchmark.json",
        *(f"images/{split}.parquet" for split in ("dev", "test", "train")),
        *(f"transactions/{split}.parquet" for split in ("dev", "test", "train")),
    ]
    assert hub.received["README.md"] == (folder / "README.md").read_bytes()
    assert hub.created["type"] == "dataset" and hub.created["organization"] == "me"
    assert "private" in str(hub.created)


def test_a_name_without_an_owner_goes_to_the_account_of_the_token(hub: Hub, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tiny")
    assert push(folder, "tiny", token="hf_right", endpoint=hub.endpoint).endswith("/datasets/me/tiny")
    assert hub.received


def test_a_wrong_token_is_told(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(MtbenchError, match=r"refuses the upload to 'me/tiny'"):
        push(write_folder(tmp_path), "me/tiny", token="hf_wrong", endpoint=hub.endpoint)


def test_without_a_token_the_error_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(MtbenchError, match="hf auth login"):
        push(write_folder(tmp_path), "me/tiny")


def test_a_name_that_no_hub_allows_is_refused_before_anything_is_sent(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(MtbenchError, match=r"'me/a/b' is no name of a repository; give OWNER/NAME"):
        push(write_folder(tmp_path), "me/a/b", token="hf_right", endpoint=hub.endpoint)
    assert not hub.created


def test_a_hub_that_is_not_there_is_told(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"  # held, but not listened on
        with pytest.raises(MtbenchError, match="cannot be reached"):
            push(write_folder(tmp_path), "me/tiny", token="hf_right", endpoint=endpoint)


def test_a_folder_that_is_no_benchmark_is_not_uploaded(tmp_path: Path) -> None:
    with pytest.raises(MtbenchError, match=r"it has no benchmark\.json"):
        push(tmp_path, "me/tiny", token="hf_right")


# Checkpoints


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A benchmark, and a combiner trained on it."""
    pytest.importorskip("torch")
    from letters import build_letters

    from mtbench.training.train import TrainSettings, train

    benchmark = build_letters(tmp_path_factory.mktemp("built"))
    settings = TrainSettings(options={"epochs": 1, "dim": 3})
    return benchmark.path, train("combiner", benchmark, tmp_path_factory.mktemp("out"), settings).path


def test_a_checkpoint_is_uploaded_with_a_card_and_pulled_without_anything_else(
    hub: Hub, trained: tuple[Path, Path], tmp_path: Path
) -> None:
    from mtbench.models.checkpoint import open_checkpoint
    from mtbench.models.hub import pull_checkpoint, push_checkpoint

    _, path = trained
    (path / "notes.txt").write_text("of this machine")
    address = push_checkpoint(path, "me/mine", private=True, token="hf_right", endpoint=hub.endpoint)
    (path / "notes.txt").unlink()
    assert address == f"{hub.endpoint}/me/mine"
    assert sorted(hub.received) == ["README.md", "checkpoint.json", "weights.safetensors"]
    assert hub.received["weights.safetensors"] == (path / "weights.safetensors").read_bytes()
    assert "private" in str(hub.created)
    hub.received["evil.py"] = b"raise SystemExit('was run')"
    hub.received["pytorch_model.bin"] = b"x"
    for name in ("hf:me/mine", "hf:me/mine@main"):
        folder = pull_checkpoint(name, endpoint=hub.endpoint, token="hf_right", cache=tmp_path / "cache")
        assert sorted(file.name for file in folder.iterdir()) == ["checkpoint.json", "weights.safetensors"]
        assert open_checkpoint(folder).record == open_checkpoint(path).record
    assert set(hub.asked) == {"checkpoint.json", "weights.safetensors"}


def test_the_card_of_a_checkpoint_says_what_it_is_and_what_leaks(trained: tuple[Path, Path]) -> None:
    from huggingface_hub import ModelCard

    from mtbench.models.checkpoint import read_record
    from mtbench.models.hub import model_card

    benchmark, path = trained
    record = read_record(path)
    text = model_card(record, "me/mine")
    data = ModelCard(text).data
    assert data.library_name == "mtbench"
    assert {"composed-image-retrieval", "combiner"} <= set(data.tags)
    found = lines(text)
    for line in [
        "# mine",
        "| benchmark | `letters` |",
        f"| revision | `{record['revision']}` |",
        f"| features | `tfidf-caption ({record['features']['dim']} numbers, of caption)` |",
        "| also learned from | `nothing else` |",
        "| epochs | `1` |",
        "mtbench evaluate hf:me/mine --benchmark FOLDER",
    ]:
        assert line in found, line
    assert "leak" not in text
    assert "mean" not in text  # no results
    assert str(benchmark.parent) not in text
    leak = {"kind": "last_edge", "marked": True, "known": 1200, "of": 3000, "dropped": 0, "below": []}
    marked = model_card({**record, "leak": leak, "pairs": "shoes"}, "me/mine")
    assert "**It learned from data that leaks into the test part**" in marked
    assert "1,200 of 3,000 test transactions were known by last edge" in marked
    assert "training pairs of shoes" in marked
    below = {name: record[name] for name in ("model", "options", "preset", "status", "weights_sha256", "seed")}
    memory = model_card({**record, "model": "lstm", "below": [{**below, "pairs": "shoes"}]}, "me/mine")
    told = lines(memory)
    assert "| also learned from | `training pairs of shoes (by the combiner below)` |" in told
    assert "nothing else" not in memory
    assert {"| dim | `3` |", f"| weights | `{record['weights_sha256']}` |"} <= set(
        told[told.index("## Starts from a `combiner`") :]
    )
    assert "/somewhere" not in model_card({**record, "options": {"file": "/somewhere/x"}}, "me/mine")


def test_a_checkpoint_on_the_hub_is_evaluated_by_its_name(
    hub: Hub, trained: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark, path = trained
    from mtbench.models.hub import push_checkpoint

    push_checkpoint(path, "me/mine", token="hf_right", endpoint=hub.endpoint)
    words = ["--benchmark", str(benchmark), "--out", str(tmp_path / "out"), "--json"]
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    code = "import sys; from mtbench.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "evaluate", "hf:me/mine", str(path), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pulled, local = json.loads(done.stdout)
    assert pulled["measures"] == local["measures"]
    assert pulled["key"] == local["key"]
    hub.received.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    again = CliRunner().invoke(main, ["evaluate", "hf:me/mine", *words])
    assert again.exit_code == 0, again.output  # from the cache
    assert json.loads(again.stdout)[0]["measures"] == pulled["measures"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf:", "names no repository; give hf:OWNER/NAME"),
        ("hf:me/a/b", "'me/a/b' is no name of a repository; give OWNER/NAME"),
        ("hf:me/other", "refuses the download of 'me/other'"),
        ("hf:me/mine@other", "refuses the download of 'me/mine'"),
    ],
)
def test_what_is_not_on_the_hub_is_told(hub: Hub, tmp_path: Path, name: str, message: str) -> None:
    from mtbench.models.hub import pull_checkpoint

    with pytest.raises(MtbenchError, match=message):
        pull_checkpoint(name, endpoint=hub.endpoint, cache=tmp_path)


def test_a_repository_without_the_files_or_with_huge_ones_is_not_fetched(hub: Hub, tmp_path: Path) -> None:
    from mtbench.models.hub import pull_checkpoint

    hub.received["checkpoint.json"] = b"{}"
    with pytest.raises(MtbenchError, match=r"me/mine on .* has no weights\.safetensors"):
        pull_checkpoint("hf:me/mine", endpoint=hub.endpoint, cache=tmp_path)
    hub.received["weights.safetensors"] = b"x"
    hub.stated["weights.safetensors"] = 1 << 40
    with pytest.raises(MtbenchError, match=r"weights\.safetensors has 1099511627776 bytes, and no more than"):
        pull_checkpoint("hf:me/mine", endpoint=hub.endpoint, cache=tmp_path)
    assert hub.asked == []


def test_a_damaged_checkpoint_is_not_uploaded(hub: Hub, trained: tuple[Path, Path], tmp_path: Path) -> None:
    from mtbench.models.hub import push_checkpoint

    copy = Path(shutil.copytree(trained[1], tmp_path / "copy"))
    (copy / "weights.safetensors").write_bytes(b"")
    with pytest.raises(MtbenchError, match="cut off, or changed"):
        push_checkpoint(copy, "me/mine", token="hf_right", endpoint=hub.endpoint)
    assert not hub.created
