"""The command that serves a page to talk to a model."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from mtbench.cli.shared import SET, SPLIT, options_of

HOST = click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
PUBLIC = click.option("--public", is_flag=True, help="Let other machines in; there is no password.")


@click.command()
@click.argument("models", metavar="[MODEL [MODEL2]]", nargs=-1)
@click.option(
    "--benchmark",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder that `mtbench build` wrote. [default: a small shoebox, drawn on first use]",
)
@click.option("--features", help="Features that `mtbench encode` made. [default: the checkpoint's, else tfidf]")
@click.option("--words", help="caption, attributes or caption+attributes. [default: all there are]")
@SPLIT
@HOST
@PUBLIC
@click.option("--port", type=click.IntRange(0, 65535), help="0: any free one. [default: 8000, or any free one]")
@click.option(
    "--out",
    default=Path("chat"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for the dialogues that you save.",
)
@SET
@click.option("--no-browser", is_flag=True, help="Do not open the page.")
def chat(
    models: Sequence[str],
    benchmark: Path | None,
    features: str | None,
    words: str | None,
    split: str,
    host: str,
    public: bool,
    port: int | None,
    out: Path,
    options: Sequence[str],
    no_browser: bool,
) -> None:
    """Talk to a model on a web page: say turn by turn what should be different, and see what it finds.

    MODEL and MODEL2, side by side, are what `mtbench evaluate` takes. Without any, BM25 answers.
    """
    from mtbench.features.needs import need

    need("flask", extra="chat")
    from mtbench.chat.serve import ChatSettings, prepare
    from mtbench.web.server import run

    settings = ChatSettings(
        models=models,
        benchmark=benchmark,
        features=features,
        words=words,
        split=split,
        options=options_of(options),
        host=host,
        port=port,
        public=public,
        out=out,
    )
    served = prepare(settings, progress=sys.stderr.isatty())
    for problem in served.problems:
        click.echo(f"note: {problem}", err=True)

    def told(url: str) -> None:
        click.echo(f"{served.about}\n\n  {url}\n\nDialogues that you save go to {served.saved_to}. Ctrl-C ends.")
        if not no_browser:
            open_browser(url)

    run(served.server, told)
    kept = f"The dialogues are in {served.saved_to}" if served.saved_to.exists() else "No dialogue was saved"
    click.echo(f"\nEnded. {kept}.")


def open_browser(url: str) -> None:
    """Show a page where there is a browser with a window; does not wait for it, and is silent in any case.

    In a process of its own: what a browser has to say stays off the terminal, and Ctrl-C does not end it.
    """
    calm = {name: value for name, value in os.environ.items() if name != "TERM"}  # without it, no browser in a terminal
    with suppress(OSError):
        subprocess.Popen(
            [sys.executable, "-I", "-m", "webbrowser", url],
            env=calm,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
