"""What several commands have in common: options that mean the same everywhere, and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from mtbench.core.errors import MtbenchError

DIR = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
BENCHMARK = click.option(
    "--benchmark", required=True, type=click.Path(path_type=Path), help="Folder that `mtbench build` wrote."
)
ROOT = click.option(
    "--root",
    default=Path("leaderboards"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder of the boards.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
SET = click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help="An option of the plugin; repeatable.")
SPLIT = click.option("--split", default="test", show_default=True, help="train, dev or test.")


class InOrder(click.Group):
    """Lists commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


def print_json(found: object) -> None:
    """Print for programs."""
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def boards_in(root: Path) -> Path:
    """``root`` itself, if there is such a folder.

    Raises:
        MtbenchError: there is none.
    """
    if not root.is_dir():
        raise MtbenchError(
            f"there is no folder {root.absolute()} to look for boards in. Go to the folder that holds leaderboards/, "
            "or give another one with --root"
        )
    return root


def options_of(options: Sequence[str], typed: str = "--set") -> dict[str, str]:
    """``NAME=VALUE`` strings, as `SET` or another option gathers them, as a dictionary."""
    found = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name:
            raise MtbenchError(f"{typed} {option!r} must be NAME=VALUE, such as {typed} alpha=0.7")
        found[name.replace("-", "_")] = value
    return found
