"""The three trainings of a Dialog Manager as phases: supervised, self-critical, and with a look ahead."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtbench.models.learning.dialogue_losses import improved, self_critical, supervised
from mtbench.models.learning.dialogue_stages import Stages
from mtbench.models.learning.dialogues import Openings, draw
from mtbench.models.learning.recipe import Recipe
from mtbench.models.learning.trainer import Phase

if TYPE_CHECKING:
    from mtbench.models.dialog_manager import DialogManager

MEASURE = "rank percentile of the target in dialogues with the user, mean over turns"


def supervised_phase(model: DialogManager, stages: Stages) -> Phase:
    """A hinge at every turn."""

    def loss(openings: Openings) -> Tensor:
        return supervised(model.manager, stages.train[openings.stage], openings, margin=model.margin)

    return _phase("sl", model, model.recipe, stages, loss, model.dialogues, model.hinges)


def self_critical_phase(model: DialogManager, stages: Stages) -> Phase:
    """REINFORCE, with the greedy dialogue as its baseline."""

    def loss(openings: Openings) -> Tensor:
        net = model.manager.eval()  # its batches are too small for statistics of their own
        return self_critical(
            net,
            stages.train[openings.stage],
            openings,
            candidates=model.candidates,
            margin=model.margin,
            supervise=model.supervise,
        )

    return _phase("rl", model, _improving(model), stages, loss, model.improve_dialogues, model.hinges)


def look_ahead_phase(model: DialogManager, stages: Stages) -> Phase:
    """Model-based policy improvement; who looks ahead is a copy as it was when the epoch began."""
    net = model.manager
    net.image_encoder.requires_grad_(requires_grad=False)
    target = copy.deepcopy(net).eval()
    with torch.no_grad():  # the image encoder learns no more
        seen = [target.gallery(stage.features) for stage in stages.train]

    def loss(openings: Openings) -> Tensor:
        return improved(
            net.eval(),
            target,
            seen[openings.stage],
            stages.train[openings.stage],
            openings,
            candidates=model.candidates,
            negatives=model.negatives,
            hinges=model.hinges,
            margin=model.margin,
            supervise=model.supervise,
        )

    def refresh() -> None:
        target.load_state_dict(net.state_dict())

    others = max(model.negatives, model.hinges if model.supervise else 0)
    phase = _phase("mbpi", model, _improving(model), stages, loss, model.improve_dialogues, others)
    return replace(phase, before_epoch=refresh)


def _improving(model: DialogManager) -> Recipe:
    """How what improves on supervised learning is trained."""
    return replace(model.recipe, epochs=model.improve_epochs, batch=model.improve_batch, rate=model.improve_rate)


def _phase(
    name: str,
    model: DialogManager,
    recipe: Recipe,
    stages: Stages,
    loss: Callable[[Openings], Tensor],
    n: int,
    others: int,
) -> Phase:
    """A phase of about ``n`` dialogues an epoch, with so many other images at each turn."""
    sizes = [len(stage.image_ids) for stage in stages.train]
    drawn = partial(draw, sizes, n or sum(sizes), batch=recipe.batch, turns=model.turns, others=others)
    score = partial(stages.scores, model.manager, model.dev_dialogues, model.turns) if stages.dev else None
    return Phase(name, model.manager, recipe, drawn, partial(_in_float32, model.place, loss), score, MEASURE)


def _in_float32(place: str, loss: Callable[[Openings], Tensor], openings: Openings) -> Tensor:
    with torch.autocast(place.split(":")[0], enabled=False):
        return loss(openings)
