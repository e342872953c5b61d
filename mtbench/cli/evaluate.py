from __future__ import annotations
import click
encode = click.Command("encode"); evaluate = click.Command("evaluate"); score = click.Command("score")
