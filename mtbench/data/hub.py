"""Upload of a benchmark folder as a dataset repository of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from mtbench.core.errors import MtbenchError

KEPT_HERE = ["features/*", "results/*", "local.json", ".*", "*/.*"]
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

    import huggingface_hub  # slow to import, and only this function needs it
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if token is None and huggingface_hub.get_token() is None:
        raise MtbenchError("no token of the Hugging Face hub. Type `hf auth login`, or set HF_TOKEN")
    api = huggingface_hub.HfApi(endpoint=endpoint, token=token)
    try:
        address = api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(
            repo_id=address.repo_id,  # with the owner, where only a name was given
            folder_path=folder,
            repo_type="dataset",
            ignore_patterns=KEPT_HERE,
            commit_message="Upload by mtbench",
        )
    except HFValidationError as error:
        raise MtbenchError(f"{repository!r} is no name of a repository; give OWNER/NAME. {error}") from error
    except HfHubHTTPError as error:
        raise MtbenchError(f"{api.endpoint} refuses the upload to {repository!r}: {error}") from error
    except Exception as error:  # requests, httpx or httpx2 by version of the package: no common base
        raise MtbenchError(f"{api.endpoint} cannot be reached: {error}. {folder} is unchanged; try again") from error
    return str(address)
