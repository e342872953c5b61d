"""What trained models have in common: options of the training, `fit`, and how a checkpoint makes them again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from mtbench.core.errors import MtbenchError
from mtbench.features.needs import torch_device
from mtbench.models.learning.recipe import Recipe, Schedule
from mtbench.models.learning.trainer import CHOSEN_BY, Phase, Trainer, draw_seed
from mtbench.models.protocol import Array, Catalogue, Fold

N = TypeVar("N", bound=nn.Module)


@dataclass(kw_only=True)
class Learned:
    """A model with a network, trained in phases. A subclass says what the network is, and its phases.

    Options are keyword arguments; those of the training are below. `PRESETS` are other defaults by name: ``paper`` is
    what the paper says or, where it says nothing, what its public code does.

    Args:
        seed: of the first weights and of all that is drawn.
        epochs: at most.
        batch: examples in a batch; each is a negative of the others.
        rate: the learning rate at its highest.
        decay: weight decay, apart from the gradient (AdamW).
        schedule: of the rate: ``constant``; ``cosine`` down to 0; ``one-cycle``, up and then down to 0.
        clip: greatest norm of the gradient; 0 for no clipping.
        patience: epochs without a better dev score before it stops; 0 for never.
        device: ``auto`` takes a GPU where there is one.
        precision: ``float32``, ``bf16`` (mixed), or ``auto``: bf16 on a GPU.

    Attributes:
        net: the network; None before training or loading.
        inputs: what the network was made for, as JSON, such as the size of the features. With the options it makes
            the same network again.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    reads_features: ClassVar[bool] = True
    """Whether it matters which features it was trained on; not so for a model of words."""
    reads_words: ClassVar[bool] = False
    """Whether it matters which words stand for the images, beyond what the features know of them."""
    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Least and greatest value of options; those of the classes above count as well."""

    seed: int = 0
    epochs: int = 10
    batch: int = 256
    rate: float = 5e-4
    decay: float = 0.05
    schedule: Schedule = "one-cycle"
    clip: float = 1.0
    patience: int = 0
    device: str = "auto"
    precision: Literal["auto", "float32", "bf16"] = "auto"

    net: nn.Module | None = field(default=None, init=False, repr=False)
    inputs: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        _ = self.recipe  # refuses what cannot be
        ranges = {name: ends for kind in type(self).__mro__ for name, ends in vars(kind).get("RANGES", {}).items()}
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                wanted = f"{least:g} or more" if math.isinf(most) else f"between {least:g} and {most:g}"
                raise ValueError(f"{name} must be {wanted}, not {getattr(self, name)}")
        self._device: str | None = None

    @property
    def recipe(self) -> Recipe:
        """The options of the training."""
        return Recipe(**{option.name: getattr(self, option.name) for option in fields(Recipe)})

    def build(self, inputs: Mapping[str, Any]) -> nn.Module:
        """Make the network; sets `net` and `inputs`. Its first weights follow from the seed and the class alone.

        Raises:
            MtbenchError: options that do not go together with the inputs.
        """
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(draw_seed(self.seed, type(self).__name__))
            try:
                net = self.network(**inputs)
            except ValueError as error:
                raise MtbenchError(str(error)) from error
        self.inputs = dict(inputs)
        self.net = net.to(self.place)
        return self.net

    def load(self, inputs: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
        """Take the place of training.

        Raises:
            ValueError: the weights are not those of a network with these options and inputs. Found out before
                anything of that size is made: a checkpoint may claim any.
        """
        with torch.device("meta"), _at_most(2 * len(weights) + 16):
            wanted = {name: _form(value) for name, value in self.network(**inputs).state_dict().items()}
        given = {name: _form(value) for name, value in weights.items()}
        if wrong := sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name)):
            name = wrong[0]
            raise ValueError(f"{name} is {given.get(name)}, not {wanted.get(name)} ({len(wrong)} such)")
        self.build(inputs).load_state_dict(weights)
        assert self.net is not None
        self.net.eval()

    def made(self, kind: type[N]) -> N:
        """The network, of a kind.

        Raises:
            RuntimeError: nothing was learned or loaded yet.
        """
        if not isinstance(self.net, kind):
            raise RuntimeError("not trained yet: call fit, or load a checkpoint")
        return self.net

    def network(self, **inputs: Any) -> nn.Module:
        """A network for these inputs."""
        raise NotImplementedError

    def phases(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Iterator[Phase]:
        """What is learned, one thing after the other. Calls `build` first."""
        raise NotImplementedError

    def depends_on(self) -> Mapping[str, str]:
        """What a training depends on beside data, options and `mtbench.models`: hashes by name."""
        return {}

    def fit(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Mapping[str, Any]:
        """Train, and keep nothing on disk; `mtbench train` makes a checkpoint instead."""
        return summary(self.trainer().run(self.phases(train, dev, catalogue)))

    def trainer(self, **options: Any) -> Trainer:
        """The training loop with the options of this model."""
        precision = self.precision
        if precision == "auto":
            precision = "bf16" if self.place.startswith("cuda") else "float32"
        return Trainer(seed=self.seed, device=self.place, precision=precision, **options)

    @property
    def place(self) -> str:
        """The device by name."""
        if self._device is None:
            self._device = torch_device(self.device)
        return self._device

    def tensor(self, values: Array) -> torch.Tensor:
        """An array on the device of the model."""
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.place)


def _form(value: torch.Tensor) -> str:
    """Type and shape of a tensor, such as ``float32 (4, 2)``."""
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


@contextmanager
def _at_most(parameters: int) -> Iterator[None]:
    """Inside, a network cannot be made of many more parameters: even without memory a billion layers take long.

    Raises:
        ValueError: it has more.
    """
    made = itertools.count(1)

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if next(made) > parameters:
            raise ValueError("a network of these options has many more weights than there are")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """Of every phase, the epoch that was kept and its score on dev."""
    found = {}
    for name, phase in record.items():
        best = phase["epochs"][phase["best_epoch"]]
        found[name] = {
            "best_epoch": phase["best_epoch"],
            "of": len(phase["epochs"]) - 1,
            CHOSEN_BY: best.get(CHOSEN_BY),
            "measure": phase["measure"],
        }
    return found
