"""One module per source dataset, each registered through the entry-point group ``mtbench.builders``.

Nothing in ``mtbench`` imports this package: an outside package adds a dataset through the same door.
"""
