"""The training loop: any network, any loss, chosen on dev; the same weights whether it was interrupted or not.

A model is trained in phases, one after the other, such as its combiner and then its memory. What is drawn in an epoch
(order, dropout) follows from the seed, the phase and the epoch alone, so a training that was killed goes on at the
last epoch that was saved and ends with the same bytes.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from mtbench.core.errors import MtbenchError
from mtbench.models.learning.recipe import Recipe

logger = logging.getLogger(__name__)

Scores = Mapping[str, float]

CHOSEN_BY = "mean"
"""The dev measure that the best epoch is chosen by: the headline."""


@dataclass
class Phase:
    """One thing to learn.

    Attributes:
        name: for the progress bar and the record.
        net: what learns: those of its parameters that want a gradient.
        recipe: how.
        batches: the batches of one epoch, drawn with the generator. Always as many.
        loss: of a batch, a scalar; the mean of an epoch is reported.
        score: measures on dev, ``mean`` among them; None where there is no dev part: the last epoch is then kept.
        measure: what that ``mean`` is of.
        before_epoch: called before the batches of each are drawn.
    """

    name: str
    net: nn.Module
    recipe: Recipe
    batches: Callable[[np.random.Generator], Sequence[Any]]
    loss: Callable[[Any], Tensor]
    score: Callable[[], Scores] | None
    measure: str = "mean of R@5 and R@8"
    before_epoch: Callable[[], None] = lambda: None


@dataclass
class Progress:
    """Where a phase stands after ``epoch`` epochs: all that is needed to go on."""

    epoch: int
    optimizer: dict[str, Any]
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    epochs: list[dict[str, float]] = field(default_factory=list)


class Store(Protocol):
    """Keeps the state of a training between two processes; `resume.Folder` does."""

    def finished(self, phase: int) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The weights of a finished phase and its record; None where it is not finished."""
        ...

    def begun(self, phase: int) -> tuple[dict[str, Tensor], Progress] | None:
        """The weights and the progress of a phase that was interrupted."""
        ...

    def finish(self, phase: int, weights: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        """Keep a finished phase."""
        ...

    def keep(self, phase: int, weights: Mapping[str, Tensor], progress: Progress) -> None:
        """Keep a phase after an epoch; may do nothing if it did so a moment ago."""
        ...


class DivergedError(MtbenchError):
    """The loss is no longer a number. The network has its best weights from before.

    Attributes:
        phases: the record of the phases, this one included.
    """

    phases: Mapping[str, Any] = MappingProxyType({})


class Trainer:
    """Trains phases one after the other.

    Args:
        seed: of all that is drawn.
        device: where the networks are.
        precision: ``float32``, or ``bf16`` for mixed precision.
        store: keeps the state, so that a killed training can go on.
        progress: show a bar for each phase, with the loss and the dev score; without it each epoch is logged.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        device: str = "cpu",
        precision: str = "float32",
        store: Store | None = None,
        progress: bool = False,
    ) -> None:
        self.seed = seed
        self.device = device
        self.precision = precision
        self.store = store
        self.progress = progress

    def run(self, phases: Iterable[Phase]) -> dict[str, Any]:
        """Train every phase to its best epoch on dev; the record of each by name.

        A phase is asked for when the one before is finished, so that it may depend on its weights.

        Raises:
            DivergedError: a loss is not finite.
        """
        found: dict[str, Any] = {}
        with steady(self.seed):
            asked = iter(phases)
            for number in itertools.count():
                torch.manual_seed(draw_seed(self.seed, number))  # whatever was drawn before, or was not after a kill
                phase = next(asked, None)
                if phase is None:
                    break
                done = self.store.finished(number) if self.store else None
                if done is None:
                    try:
                        record = self._train(number, phase)
                    except DivergedError as error:
                        error.phases = {**found, phase.name: error.phases}
                        raise
                    if self.store:
                        self.store.finish(number, phase.net.state_dict(), record)
                else:
                    weights, record = done
                    phase.net.load_state_dict(weights)
                phase.net.eval()
                found[phase.name] = {**record, "measure": phase.measure}
        return found

    def _train(self, number: int, phase: Phase) -> dict[str, Any]:
        recipe, net = phase.recipe, phase.net
        parameters = [p for p in net.parameters() if p.requires_grad]
        # One step for all parameters at once where the device has it: the same numbers, fewer calls.
        optimizer = torch.optim.AdamW(_groups(parameters, recipe.decay), lr=recipe.rate, foreach=True)
        begun = self.store.begun(number) if self.store else None
        if begun is None:
            at = Progress(0, {})
            self._judge(phase, at, epoch=0)
        else:
            weights, at = begun
            net.load_state_dict(weights)
            optimizer.load_state_dict({**optimizer.state_dict(), "state": at.optimizer})
        bar = tqdm(
            total=recipe.epochs, initial=at.epoch, desc=phase.name, unit="epoch", leave=False, disable=not self.progress
        )
        with bar:
            while at.epoch < recipe.epochs and not _is_over(recipe, at):
                start = time.monotonic()
                self._epoch(phase, optimizer, parameters, at)
                told, spent = _told(at.epochs[-1]), time.monotonic() - start
                bar.update()
                bar.set_postfix_str(told)
                if not self.progress:
                    logger.info("%s: epoch %d of %d: %s, %.1f s", phase.name, at.epoch, recipe.epochs, told, spent)
                if self.store:
                    at.optimizer = optimizer.state_dict()["state"]
                    self.store.keep(number, net.state_dict(), at)
        net.load_state_dict(at.best)
        return {"best_epoch": at.best_epoch, "epochs": at.epochs}

    def _epoch(
        self, phase: Phase, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], at: Progress
    ) -> None:
        recipe = phase.recipe
        drawn = draw_seed(self.seed, phase.name, at.epoch)
        torch.manual_seed(drawn)
        phase.before_epoch()
        batches = phase.batches(np.random.default_rng(drawn))
        steps = len(batches)
        if not steps:
            raise MtbenchError(f"{phase.name}: the train part has nothing to learn from")
        phase.net.train()
        total = torch.zeros((), device=self.device)
        for step, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate_at(at.epoch * steps + step, recipe.epochs * steps)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.precision == "bf16"):
                loss = phase.loss(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            norm = nn.utils.clip_grad_norm_(parameters, recipe.clip) if recipe.clip else loss.detach()
            total += loss.detach()
            # Asking for the number makes a GPU wait, which is worth it only now and then.
            asked = self.device == "cpu" or step % 16 == 0 or step == steps - 1
            if asked and not bool(torch.isfinite(total + norm)):
                what = f"the loss is {float(loss.detach()):g} (norm of the gradient {float(norm):g})"
                raise _diverged(phase, at, f"{what} at step {step + 1} of epoch {at.epoch + 1}")
            optimizer.step()
        if not all(bool(torch.isfinite(parameter).all()) for parameter in parameters):
            raise _diverged(phase, at, f"weights are not finite after step {steps} of epoch {at.epoch + 1}")
        try:
            self._judge(phase, at, epoch=at.epoch + 1, loss=float(total) / steps)
        except MtbenchError as error:  # the first weights could be scored: these give vectors that are no numbers
            raise _diverged(phase, at, f"after step {steps} of epoch {at.epoch + 1} dev gives: {error}") from error
        at.epoch += 1

    def _judge(self, phase: Phase, at: Progress, *, epoch: int, loss: float | None = None) -> None:
        """Score on dev, and keep the weights if they are the best so far; of equals the first."""
        phase.net.eval()
        scores = dict(phase.score()) if phase.score else {}
        at.epochs.append({"epoch": epoch, **({} if loss is None else {"loss": loss}), **scores})
        best = at.epochs[at.best_epoch].get(CHOSEN_BY)
        if epoch == 0 or best is None or scores[CHOSEN_BY] > best:
            at.best_epoch = epoch
            at.best = {name: value.detach().clone() for name, value in phase.net.state_dict().items()}


def _diverged(phase: Phase, at: Progress, what: str) -> DivergedError:
    """The error, with the network back at its best weights."""
    phase.net.load_state_dict(at.best)
    phase.net.eval()
    recipe = phase.recipe
    error = DivergedError(f"{phase.name}: {what}. Lower --set rate ({recipe.rate:g}) or --set clip ({recipe.clip:g})")
    error.phases = {"best_epoch": at.best_epoch, "epochs": at.epochs, "measure": phase.measure}
    return error


def _groups(parameters: list[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """Matrices decay; biases, norms, gates and scales do not: see `mtbench.models.nets.still` for those of stages."""
    decays = [p.ndim >= 2 and getattr(p, "decays", True) for p in parameters]
    return [
        {"params": [p for p, does in zip(parameters, decays, strict=True) if does], "weight_decay": decay},
        {"params": [p for p, does in zip(parameters, decays, strict=True) if not does], "weight_decay": 0.0},
    ]


def _is_over(recipe: Recipe, at: Progress) -> bool:
    """Whether dev has not become better for too long."""
    return 0 < recipe.patience <= at.epoch - at.best_epoch and CHOSEN_BY in at.epochs[-1]


def _told(epoch: Mapping[str, float]) -> str:
    dev = f", dev {100 * epoch[CHOSEN_BY]:.1f}" if CHOSEN_BY in epoch else ""
    return f"loss {epoch['loss']:.3f}{dev}"


def draw_seed(*of: object) -> int:
    """A seed that follows from anything with a repr, and from nothing else."""
    return int.from_bytes(hashlib.sha256(repr(of).encode()).digest()[:7], "big")


@contextmanager
def steady(seed: int) -> Iterator[None]:
    """Inside, torch draws from ``seed``, and gives the same bits however many processors there are.

    Sums over threads depend on their number, so there is one; to use more processors, train several seeds at once.
    Denormal numbers are flushed to 0: gradients of a memory are full of them, and they made training 3 times slower.
    """
    threads, flushes = torch.get_num_threads(), _flushes_denormal()
    strict = torch.get_deterministic_debug_mode()
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        # use_deterministic_algorithms would do the same, after 4 seconds of importing a compiler.
        torch.set_deterministic_debug_mode("warn" if devices else "error")
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(strict)
            torch.set_flush_denormal(flushes)
            torch.set_num_threads(threads)


def _flushes_denormal() -> bool:
    """Whether denormal numbers become 0: torch sets this, but does not tell it."""
    return not bool(torch.tensor([1e-40]).mul(1.0).ne(0).any())
