"""``mtbench build BUILDER``: one subcommand for each builder, with the options that only it has."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mtbench.cli.shared import print_json
from mtbench.cli.tables import build_report
from mtbench.core.errors import MtbenchError
from mtbench.core.options import construct
from mtbench.core.registry import BUILDERS

if TYPE_CHECKING:
    from mtbench.data.raw import Builder

logger = logging.getLogger(__name__)

COMMON = (
    click.Option(["--raw"], type=click.Path(path_type=Path), required=True, help="Folder (or file) of the raw data."),
    click.Option(["--out"], type=click.Path(path_type=Path), required=True, help="Folder to write; must not exist."),
    click.Option(
        ["--chains"],
        help="all-paths, maximal, leaf-suffix, one-per-target or edge-disjoint. [default: the builder's]",
    ),
    click.Option(["--cycles"], default="stop", show_default=True, help="At an image already shown: stop, drop, keep."),
    click.Option(["--min-turns"], type=int, default=2, show_default=True, help="Fewest turns of a transaction."),
    click.Option(["--max-turns"], type=int, default=4, show_default=True, help="Most turns of a transaction."),
    click.Option(["--same-category"], is_flag=True, help="Leave out pairs that cross from one subcategory to another."),
    click.Option(
        ["--self-loops"],
        default="drop",
        show_default=True,
        help="Pairs from an image to itself: drop (and count), refuse.",
    ),
    click.Option(
        ["--split"],
        help="official, edge-target-disjoint (parts share no pair and no final target) or edge-target-strict (nor is "
        "a held-out final target shown in training). [default: the builder's]",
    ),
    click.Option(
        ["--dev-share"],
        type=float,
        default=0.05,
        show_default=True,
        help="Share of the components that become dev.",
    ),
    click.Option(
        ["--test-share"],
        type=float,
        help="The same for test, under a re-split. [default: 0.15]",
    ),
    click.Option(
        ["--clean"],
        multiple=True,
        metavar="LEAK",
        help="Leave out test and dev transactions that leak from training by edge, last-edge, all-edges, sub-chain, "
        "final-target or image; repeatable.",
    ),
    click.Option(["--split-seed"], type=int, default=0, show_default=True, help="Seed of the split's hash."),
    click.Option(
        ["--gallery"],
        help="split-list, session-images or all-images. [default: the builder's; all-images for a re-split]",
    ),
    click.Option(["--images"], type=click.Path(path_type=Path), help="Folder of image files, at any depth."),
    click.Option(
        ["--image-captions"],
        type=click.Path(path_type=Path),
        help="JSON {image: caption}, or a folder of such files.",
    ),
    click.Option(["--name"], help="Name of the benchmark."),
    click.Option(["--fetch"], is_flag=True, help="Download what is missing, with resume and hash check."),
    click.Option(["--overwrite"], is_flag=True, help="Replace the folder if it exists."),
    click.Option(["--json", "as_json"], is_flag=True, help="Print the manifest as JSON."),
)


PARTS = (
    *("summary", "licence", "sources", "chains", "split", "gallery", "official", "published", "options"),
    "read",
)
"""What a builder has, as `mtbench.data.raw.Builder` says: not imported here, it would be slow."""


class Builders(click.Group):
    """The subcommands are the registered builders, and any ``file.py:Class``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in BUILDERS.names() if _works(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        builder = builder_named(cmd_name)
        own = [
            click.Option(
                [f"--{option.name}"],
                type=click.Path(path_type=Path) if option.type is Path else option.type,
                is_flag=option.type is bool,
                help=option.help,
                default=() if option.multiple and option.default is None else option.default,
                show_default=option.default not in (None, False),
                required=option.required,
                multiple=option.multiple,
            )
            for option in builder.options
        ]

        def run(raw: Path, out: Path, fetch: bool, overwrite: bool, as_json: bool, **options: Any) -> None:
            manifest = _run(cmd_name, builder, raw, out, options, fetch=fetch, overwrite=overwrite)
            if as_json:
                print_json(manifest)
            else:
                click.echo(build_report(manifest, out))

        return click.Command(
            cmd_name,
            callback=run,
            params=[*own, *COMMON],
            short_help=builder.summary,
            help=f"{builder.summary}.\n\n\b\n{_layout(builder)}",
        )


@click.command(cls=Builders)
def build() -> None:
    """Turn raw pairs into a multi-turn benchmark."""


def builder_named(name: str) -> Builder:
    """A builder by name; an error that says what is missing if the class is none."""
    builder: Builder = construct(BUILDERS.get(name), {}, what=f"builder {name!r}")
    missing = [part for part in PARTS if not hasattr(builder, part)]
    if missing:
        raise MtbenchError(f"{name!r} is no builder: it has no {', '.join(missing)}. See mtbench.data.raw.Builder")
    return builder


def _works(name: str) -> bool:
    """Whether a builder can be made; one that cannot is warned about, and the others stay usable."""
    try:
        builder_named(name)
    except MtbenchError as error:
        logger.warning("%s", error)
        return False
    return True


def _run(
    name: str,
    builder: Builder,
    raw: Path,
    out: Path,
    options: dict[str, Any],
    *,
    fetch: bool,
    overwrite: bool,
) -> Mapping[str, Any]:
    from mtbench.chains.policies import Rule
    from mtbench.chains.splits import SplitRule
    from mtbench.data.build import BuildOptions
    from mtbench.data.build import build as build_benchmark

    for given in (raw, options["images"], options["image_captions"]):
        if given is not None and out.is_dir() and given.resolve().is_relative_to(out.resolve()):
            raise MtbenchError(f"{given} lies in {out}, which is to be written; give another --out")
    rule = Rule(options.pop("min_turns"), options.pop("max_turns"), options.pop("cycles"))
    split_rule = SplitRule(dev_share=options.pop("dev_share"), seed=options.pop("split_seed"))
    test_share = options.pop("test_share")
    if test_share is not None:
        if (options["split"] or builder.split) == "official":
            raise MtbenchError("--test-share has no effect on the official split: add --split edge-target-disjoint")
        split_rule = replace(split_rule, test_share=test_share)
    own = {key: options.pop(key) for key in [option.name.replace("-", "_") for option in builder.options]}
    if fetch and not builder.sources:
        raise MtbenchError(
            f"the builder {name!r} has nothing to download: its raw files are your own; leave --fetch out"
        )
    return build_benchmark(
        name,
        builder,
        raw,
        out,
        BuildOptions(rule=rule, split_rule=split_rule, extra=own, **options),
        download=fetch,
        overwrite=overwrite,
        progress=sys.stderr.isatty(),
    ).manifest


def _layout(builder: Builder) -> str:
    """The raw layout, from the docstring of the builder's module."""
    import inspect

    text = inspect.getdoc(inspect.getmodule(type(builder))) or ""
    return text.replace("``", "").replace("\n\n", "\n\n\b\n")  # click keeps the lines of such a paragraph
