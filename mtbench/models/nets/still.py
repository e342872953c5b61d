"""Parameters that weight decay leaves alone."""

from __future__ import annotations

from torch import Tensor, nn


def still(values: Tensor) -> nn.Parameter:
    """A parameter that does not decay although it has the dimensions of a matrix, such as the biases of all stages.

    `mtbench.models.learning.trainer` looks for the mark. Copies lose it: it says how to train a network as it was made.
    """
    parameter = nn.Parameter(values)
    parameter.decays = False  # type: ignore[attr-defined]
    return parameter
