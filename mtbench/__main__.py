"""``python -m mtbench`` is ``mtbench``."""

from mtbench.cli import main

main(prog_name="mtbench")
