"""What a Dialog Manager learns by: a hinge, the return of sampled dialogues, a look ahead (Guo et al., section 4)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, relu

from mtbench.models.learning.dialogues import Openings, Stage, Talk, best, hold, percentile, read, standing
from mtbench.models.learning.examples import Indices
from mtbench.models.nets.dialog_manager import Network, Seen, squared


def supervised(net: Network, stage: Stage, openings: Openings, *, margin: float) -> Tensor:
    """The mean of the `hinge` over dialogues and turns, with one random x- or more for each.

    The nearest neighbour of the state is shown next, and a dialogue whose target is shown is over. Which image is
    shown has no gradient.
    """
    with torch.no_grad():
        seen = net.gallery(stage.features)
    talk, hidden = Talk.of(openings), None
    going, losses = np.arange(len(openings)), []
    for turn in range(openings.others.shape[1]):
        talk = talk.answer(stage)
        states, hidden = read(net, stage, talk, hidden)
        losses.append(_hinge(net, stage, talk, openings.others[going, turn], states, margin))
        with torch.no_grad():
            left, _ = standing(net.scores(states, seen), talk)
        talk = talk.show(best(left))
        live = np.flatnonzero(~talk.found)
        if not len(live):
            break
        going, talk, hidden = going[live], talk.rows(live), hidden[stage.at(live)]
    return torch.cat(losses).mean()


def hinge(states: Tensor, right: Tensor, wrong: Tensor, margin: float) -> Tensor:
    """max(0, |s - x+|^2 - |s - x-|^2 + margin) of states (n, d), targets (n, d) and others (n, N, d): (n, N)."""
    return relu(squared(states, right)[:, None] - squared(states[:, None], wrong) + margin)


def self_critical(
    net: Network, stage: Stage, openings: Openings, *, candidates: int, margin: float = 0.0, supervise: float = 0.0
) -> Tensor:
    """REINFORCE: -(R - R_greedy) sum of log pi(a_t), the mean over dialogues; R is the sum of rank percentiles.

    The next image is sampled from softmax(-|s - x|^2) over the nearest ``candidates``; the return of the greedy
    dialogue with the same user is the baseline (self-critical sequence training). The image after the last turn
    changes no rank, and is not sampled.

    Args:
        net: what learns.
        stage, openings: the dialogues.
        candidates: how many are sampled from.
        margin, supervise: of the hinge of supervised learning at the same states, and its weight; 0 in the paper.
    """
    with torch.no_grad():
        seen = net.gallery(stage.features)
    n, turns = openings.others.shape[:2]
    talk, hidden = Talk.of(openings), None
    baseline = percentile(*hold(net, stage, seen, talk, turns)).sum(1)
    gains, chances = [torch.zeros_like(baseline) for _ in range(2)]
    going, hinges = np.arange(n), [baseline.new_zeros(0)]
    for turn in range(turns):
        at = stage.at(going)
        talk = talk.answer(stage)
        states, hidden = read(net, stage, talk, hidden)
        with torch.no_grad():
            left, ranks = standing(net.scores(states, seen), talk)
        sizes = torch.full_like(ranks, left.shape[1] - talk.shown.shape[1])
        gains = gains.index_add(0, at, percentile(ranks, sizes))
        if supervise:
            hinges.append(_hinge(net, stage, talk, openings.others[going, turn], states, margin))
        if turn == turns - 1:
            break
        nearest = _nearest(left, talk, candidates)
        chosen, chance = sample(-squared(states[:, None], net.image(stage.features[nearest])))
        chances = chances.index_add(0, at, chance)
        talk = talk.show(_columns(nearest.gather(1, chosen[:, None])[:, 0]))
        live = np.flatnonzero(~talk.found)
        over = stage.at(going[talk.found])
        gains = gains.index_add(0, over, torch.full_like(baseline[over], turns - 1 - turn))  # 1 at each turn left
        if not len(live):
            break
        going, talk, hidden = going[live], talk.rows(live), hidden[stage.at(live)]
    return reinforce(gains, baseline, chances) + supervise * _mean(torch.cat(hinges))


def sample(logits: Tensor) -> tuple[Tensor, Tensor]:
    """An action of each row of logits (n, K), and the logarithm of its chance: (n,) each."""
    chances = logits.log_softmax(1)
    chosen = torch.multinomial(chances.detach().exp(), 1)
    return chosen[:, 0], chances.gather(1, chosen)[:, 0]


def reinforce(gains: Tensor, baseline: Tensor, chances: Tensor) -> Tensor:
    """-(R - R_greedy) log pi, the mean over dialogues: what did better than the greedy dialogue becomes likelier."""
    return -((gains - baseline).detach() * chances).mean()


def improved(
    net: Network,
    target: Network,
    seen: Seen,
    stage: Stage,
    openings: Openings,
    *,
    candidates: int,
    negatives: int,
    hinges: int = 0,
    margin: float = 0.0,
    supervise: float = 0.0,
) -> Tensor:
    """Model-based policy improvement: cross-entropy of the best next image a* against random images.

    At every turn but the last, each of the ``candidates`` nearest neighbours of the target model's state is shown in
    turn, the dialogue goes on greedily to its end (see `look_ahead`), and a* is the one with the least sum of target
    ranks. Logits are -|s - x|^2 + |s - x_target|^2 with the state s of the model that learns.

    Where the paper leaves something open: the second term of the logits is the same for every image, and cancels; it
    is here because it is there. The image after the last turn changes no rank, so it teaches nothing. The dialogue
    goes on with the nearest neighbour of the target model, not with a*: that is what it will meet when it is used.

    Args:
        net: what learns; its image encoder is that of ``target``.
        target: an earlier copy, which looks ahead.
        seen: the gallery as both see it.
        stage, openings: the dialogues; images to compare with, for each turn.
        candidates: how many images are tried.
        negatives: so many of the images to compare with count against a*, but for a* itself where it is among them.
        hinges: so many of them the hinge has.
        margin, supervise: of the hinge of supervised learning at the same states, and its weight; 0 in the paper.
    """
    talk, going = Talk.of(openings), np.arange(len(openings))
    mine, theirs = None, None
    turns, losses, beside = openings.others.shape[1], [], [seen.squares.new_zeros(0)]
    for turn in range(turns if supervise else turns - 1):
        talk = talk.answer(stage)
        states, mine = read(net, stage, talk, mine)
        if supervise:
            beside.append(_hinge(net, stage, talk, openings.others[going, turn, :hinges], states, margin))
        if turn == turns - 1:
            break
        with torch.no_grad():
            found, theirs = read(target, stage, talk, theirs)
            left, _ = standing(net.scores(found, seen), talk)
            nearest = _nearest(left, talk, candidates)
        chosen = look_ahead(target, stage, seen, talk, theirs, _columns(nearest), turns - 1 - turn)
        compared = np.concatenate([chosen[:, None], openings.others[going, turn, :negatives]], axis=1)
        far = squared(states[:, None], seen.vectors[stage.at(compared)])
        logits = squared(states, seen.vectors[stage.at(talk.targets)])[:, None] - far
        itself = stage.at((compared == chosen[:, None]) & (np.arange(compared.shape[1]) > 0))
        right = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
        losses.append(cross_entropy(logits.masked_fill(itself, -torch.inf), right, reduction="none"))
        talk = talk.show(_columns(nearest[:, 0]))
        live = np.flatnonzero(~talk.found)
        if not len(live):
            break
        at = stage.at(live)
        going, talk, mine, theirs = going[live], talk.rows(live), mine[at], theirs[at]
    return torch.cat(losses).mean() + supervise * _mean(torch.cat(beside))


def look_ahead(
    net: Network, stage: Stage, seen: Seen, talk: Talk, hidden: Tensor, nearest: Indices, turns: int
) -> Indices:
    """Which of some images (n, K) to show now: the one with the least sum of target ranks in the turns after it.

    All dialogues with all their images are held at once. Of equal sums the nearer image wins: the first.

    Returns:
        Columns of the gallery, (n,).
    """
    n, candidates = nearest.shape
    rows = np.repeat(np.arange(n), candidates)
    ranks, _ = hold(net, stage, seen, talk.rows(rows).show(nearest.reshape(-1)), turns, hidden[stage.at(rows)])
    sums = ranks.sum(1).view(n, candidates).cpu().numpy()
    chosen: Indices = nearest[np.arange(n), sums.argmin(axis=1)]
    return chosen


def _hinge(net: Network, stage: Stage, talk: Talk, others: Indices, states: Tensor, margin: float) -> Tensor:
    """The hinge of dialogues against other images (n, N), flat."""
    right, wrong = (net.image(stage.features[stage.at(columns)]) for columns in (talk.targets, others))
    return hinge(states, right, wrong, margin).flatten()


def _mean(values: Tensor) -> Tensor:
    """The mean; 0 of none."""
    return values.sum() / max(len(values), 1)


def _nearest(left: Tensor, talk: Talk, candidates: int) -> Tensor:
    """Columns of the best images that were not shown, the best first, (n, K)."""
    return left.topk(min(candidates, left.shape[1] - talk.shown.shape[1]), dim=1).indices


def _columns(columns: Tensor) -> Indices:
    found: Indices = columns.cpu().numpy()
    return found
