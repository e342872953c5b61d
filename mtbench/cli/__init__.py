"""The command line: thin commands that parse, call one library function, and print.

Nothing heavy is imported before a command runs, so that ``mtbench --help`` stays instant.
"""

from __future__ import annotations

import logging
from typing import Any

import click

from mtbench import __version__
from mtbench.cli.audit import audit
from mtbench.cli.build import build
from mtbench.cli.chat import chat
from mtbench.cli.check import check_model
from mtbench.cli.compare import compare
from mtbench.cli.evaluate import encode, evaluate, score
from mtbench.cli.inspect import list_plugins, push, stats
from mtbench.cli.leaderboard import leaderboard
from mtbench.cli.report import report
from mtbench.cli.simulate import simulate
from mtbench.cli.study import study
from mtbench.cli.submit import submit
from mtbench.cli.sweep import sweep
from mtbench.cli.train import train
from mtbench.core.errors import MtbenchError


class Failure(click.ClickException):
    """A mistake in the input: the message alone, and exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"mtbench: {self.message}", err=True)


class Commands(click.Group):
    """Turns `MtbenchError` into one clear message; commands are listed in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        logging.basicConfig(format="mtbench: %(message)s", level=logging.WARNING)
        try:
            return super().invoke(ctx)
        except MtbenchError as error:
            raise Failure(str(error)) from error


@click.group(
    cls=Commands,
    epilog="""\b
Three commands to start with:
  mtbench build shoebox --raw raw --out shoebox
  mtbench evaluate random bm25 ewma --benchmark shoebox
  mtbench list models
""",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="mtbench")
def main() -> None:
    """Multi-turn composed image retrieval: build benchmarks, evaluate models, keep leaderboards."""


for command in (
    build,
    stats,
    audit,
    encode,
    train,
    sweep,
    evaluate,
    simulate,
    check_model,
    score,
    compare,
    report,
    chat,
    study,
    submit,
    leaderboard,
    list_plugins,
    push,
):
    main.add_command(command)
