"""The Hugging Face hub: upload of a benchmark folder as a dataset repository, and what other uploads share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mtbench.core.errors import MtbenchError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MADE_FROM_IT = ("features", "results", "checkpoints", "sweeps", "simulations", "simulators")
KEPT_HERE = [*(f"{name}/*" for name in MADE_FROM_IT), "local.json", ".*", "*/.*"]
"""What is of this machine or made from the benchmark: never uploaded."""


def push(
    folder: Path,
    repository: str,
    *,
    private: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Upload ``folder`` to ``repository`` (OWNER/NAME), made if it does not exist; returns its address.

    Args:
        token: of an account that may write; without it, the one of ``hf auth login`` or ``HF_TOKEN``.
        endpoint: address of another hub than the public one.

    Raises:
        MtbenchError: no benchmark in the folder, a name that the hub does not allow, no token, no right to
            write, or no connection.
    """
    if not (folder / "benchmark.json").is_file():
        raise MtbenchError(f"{folder} is no benchmark: it has no benchmark.json. Make one: mtbench build --help")
    with writing(folder, repository, token=token, endpoint=endpoint) as api:
        address = api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(
            repo_id=address.repo_id,  # with the owner, where only a name was given
            folder_path=folder,
            repo_type="dataset",
            ignore_patterns=KEPT_HERE,
            commit_message="Upload by mtbench",
        )
    return str(address)


def push_files(
    files: Mapping[str, Path | bytes],
    repository: str,
    *,
    folder: Path,
    private: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Upload some files to a model repository, in one commit; returns its address.

    Args:
        files: by their path in the repository.
        repository, private, token, endpoint: as for `push`.
        folder: where they come from, for errors.
    """
    from huggingface_hub import CommitOperationAdd

    with writing(folder, repository, token=token, endpoint=endpoint) as api:
        address = api.create_repo(repository, repo_type="model", private=private, exist_ok=True)
        operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in files.items()]
        api.create_commit(address.repo_id, operations, commit_message="Upload by mtbench", repo_type="model")
    return str(address)


def pull_files(
    repository: str,
    largest: Mapping[str, int],
    *,
    revision: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    cache: Path | None = None,
) -> Path:
    """The folder with some files of a model repository, in the cache of the hub's library. Nothing else is fetched.

    Args:
        repository: OWNER/NAME.
        largest: the files, and how many bytes each may have.
        revision: a branch, tag or commit; None for the newest.
        token, endpoint: as for `push`.
        cache: another folder for downloads.

    Raises:
        MtbenchError: no such repository, one without these files or with larger ones, no right to read, or no
            connection and nothing in the cache.
    """
    import huggingface_hub

    api = huggingface_hub.HfApi(endpoint=endpoint, token=token)
    with _told(api, f"the download of {repository!r}", "Try again"):
        offline = huggingface_hub.constants.HF_HUB_OFFLINE
        commit = None
        if not offline:
            info = api.model_info(repository, revision=revision, files_metadata=True)
            sizes = {file.rfilename: file.size for file in info.siblings or []}
            if lacking := sorted(largest.keys() - sizes.keys()):
                raise MtbenchError(f"{repository} on {api.endpoint} has no {' and no '.join(lacking)}")
            for name, most in largest.items():
                if (size := sizes[name]) is None or size > most:
                    raise MtbenchError(
                        f"{repository} on {api.endpoint}: {name} has {size} bytes, and no more than {most} are fetched"
                    )
            commit = info.sha
        # By the name of the branch, so that the cache knows it when there is no connection.
        fetch = partial(api.hf_hub_download, revision=revision, cache_dir=cache, local_files_only=offline)
        folders = {Path(fetch(repository, name)).parent for name in largest}
        if len(folders) > 1 or (commit is not None and folders != {next(iter(folders)).with_name(commit)}):
            raise MtbenchError(f"{repository} on {api.endpoint} changed while it was fetched. Try again")
    return folders.pop()


@contextmanager
def writing(folder: Path, repository: str, *, token: str | None, endpoint: str | None) -> Iterator[HfApi]:
    """The hub, to write to; what goes wrong inside becomes one line."""
    import huggingface_hub  # slow to import

    if token is None and huggingface_hub.get_token() is None:
        raise MtbenchError("no token of the Hugging Face hub. Type `hf auth login`, or set HF_TOKEN")
    api = huggingface_hub.HfApi(endpoint=endpoint, token=token)
    with _told(api, f"the upload to {repository!r}", f"{folder} is unchanged; try again"):
        yield api


@contextmanager
def _told(api: HfApi, what: str, hint: str) -> Iterator[None]:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except MtbenchError:
        raise
    except HFValidationError as error:
        name = what.rpartition(" ")[2]
        raise MtbenchError(f"{name} is no name of a repository; give OWNER/NAME. {error}") from error
    except HfHubHTTPError as error:
        raise MtbenchError(f"{api.endpoint} refuses {what}: {' '.join(str(error).split())}") from error
    except Exception as error:  # requests, httpx or httpx2 by version of the package: no common base
        raise MtbenchError(f"{api.endpoint} cannot be reached: {error}. {hint}") from error
