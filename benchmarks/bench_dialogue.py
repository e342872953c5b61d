"""Dialogues held side by side: against the bare products of a turn, and against one dialogue at a time.

    python benchmarks/bench_dialogue.py [--users 512] [--images 10000] [--repeat 5] [--json]

The first table is one turn of the Dialog Manager at the sizes of the paper: a simulated user speaks of the images shown
("more X, less Y" of 3 attributes), words become tokens and vectors, the tracker steps, the gallery is scored, the
targets are ranked among what was not shown, and the next images are chosen. The bare products are the matrix products
of that turn alone, of the same shapes. With "every place", the convolution is one product for each place of each text,
as a convolution does it; with "different words", one for each different word, as here.

The second is one update of model-based policy improvement, 8 dialogues with 4 candidates each rolled out to the end:
all at once, against a loop over dialogues and candidates; forward and backward, the same loss.
"""

from __future__ import annotations

import common  # isort: skip  # first: it sets one thread

from typing import Any

import numpy as np
import torch

from mtbench.core.types import Image
from mtbench.models.learning import dialogue_losses
from mtbench.models.learning.dialogue_losses import improved, look_ahead
from mtbench.models.learning.dialogues import Openings, Stage, Talk, best, draw, read, standing
from mtbench.models.learning.vocabulary import Vocabulary
from mtbench.models.nets.dialog_manager import Network, Seen
from mtbench.users.attributes import Attributes
from mtbench.users.protocol import World

FEATURES, TRAITS, EACH = 512, 200, 8
TURNS, BATCH, CANDIDATES, NEGATIVES = 5, 8, 4, 5


def made(images: int) -> Stage:
    """A gallery of random vectors and attribute words."""
    rng = np.random.default_rng(0)
    words = [f"word{k}" for k in range(TRAITS)]
    names = [f"image{k}" for k in range(images)]
    traits = [tuple(words[k] for k in rng.choice(TRAITS, EACH, replace=False)) for _ in names]
    known = {name: Image(name, "shoe", None, some) for name, some in zip(names, traits, strict=True)}
    features = torch.from_numpy(rng.normal(size=(images, FEATURES)).astype(np.float32) / FEATURES**0.5)
    vocabulary = Vocabulary(["more", "less", "nothing", "to", "change", *words])
    return Stage("shoe", tuple(names), features, Attributes(n=3), World(known, None), vocabulary)  # type: ignore[arg-type]


def begun(stage: Stage, n: int) -> Talk:
    """Dialogues that were just opened."""
    (openings,) = draw([len(stage.image_ids)], n, np.random.default_rng(1), batch=n, turns=0, others=0)
    return Talk.of(openings)


@torch.inference_mode()
def turn(net: Network, stage: Stage, seen: Seen, talk: Talk, hidden: torch.Tensor) -> Talk:
    """One turn of all users."""
    spoken = talk.answer(stage)
    states, _ = read(net, stage, spoken, hidden)
    left, _ = standing(net.scores(states, seen), spoken)
    return spoken.show(best(left))


@torch.inference_mode()
def products(net: Network, seen: Seen, users: int, rows: int) -> None:
    """The matrix products of a turn, of ``rows`` words, on numbers that mean nothing."""
    size, filters = net.text.embedding.embedding_dim, net.text.out.in_features
    words, text = torch.ones(rows, size), torch.ones(users, filters)
    first, second = net.text.convolution.weight.chunk(2, dim=1)
    _ = words @ first.t(), words @ second.t()
    x = text @ net.text.out.weight.t()
    _ = torch.ones(users, FEATURES) @ net.image_encoder.weight.t()
    x = x @ net.response.weight.t()
    _ = x @ net.tracker.weight_ih.t(), x @ net.tracker.weight_hh.t()
    _ = (x @ net.head.weight.t()) @ seen.vectors.t()


def of_turns(users: int, images: int, repeat: int) -> list[dict[str, Any]]:
    """A turn, its parts, and the bare products."""
    stage = made(images)
    net = Network(FEATURES, len(stage.vocabulary)).eval()
    with torch.inference_mode():
        seen, hidden = net.gallery(stage.features), torch.zeros(users, 256)
    talk = begun(stage, users)
    tokens = talk.answer(stage).tokens(stage)
    places, different = tokens.shape[0] * (tokens.shape[1] - 1), len(torch.unique(tokens))
    seconds = common.least(
        {
            "turn": lambda: turn(net, stage, seen, talk, hidden),
            "the user alone": lambda: talk.answer(stage),
            "bare products, every place": lambda: products(net, seen, users, places),
            "bare products, different words": lambda: products(net, seen, users, different),
        },
        repeat,
    )
    return [
        {"case": name, "ms": 1000 * value, "turn / this": seconds["turn"] / value} for name, value in seconds.items()
    ]


def one_by_one(
    net: Network, stage: Stage, seen: Seen, talk: Talk, hidden: torch.Tensor, nearest: Any, turns: int
) -> Any:
    """`look_ahead` with a loop over dialogues and candidates."""
    found = []
    for row in range(len(talk)):
        one, mine = talk.rows(np.array([row])), hidden[row : row + 1]
        sums = [
            float(dialogue_losses.hold(net, stage, seen, one.show(np.array([column])), turns, mine)[0].sum())
            for column in nearest[row]
        ]
        found.append(nearest[row][int(np.argmin(sums))])
    return np.array(found)


def update(net: Network, seen: Seen, stage: Stage, openings: Openings) -> float:
    """Loss and gradient of a batch."""
    net.zero_grad()
    loss = improved(net, net, seen, stage, openings, candidates=CANDIDATES, negatives=NEGATIVES)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


def singly(net: Network, seen: Seen, stage: Stage, openings: Openings) -> float:
    """The same, a dialogue and a candidate at a time."""
    net.zero_grad()
    total = 0.0
    dialogue_losses.look_ahead = one_by_one
    try:
        for row in range(len(openings)):
            at = np.array([row])
            one = Openings(0, openings.targets[at], openings.first[at], openings.seeds[at], openings.others[at])
            loss = improved(net, net, seen, stage, one, candidates=CANDIDATES, negatives=NEGATIVES) / len(openings)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
    finally:
        dialogue_losses.look_ahead = look_ahead
    return total


def of_updates(images: int, repeat: int) -> list[dict[str, Any]]:
    """An update of policy improvement, both ways."""
    stage = made(images)
    net = Network(FEATURES, len(stage.vocabulary)).eval()
    net.image_encoder.requires_grad_(requires_grad=False)
    with torch.no_grad():
        seen = net.gallery(stage.features)
    rng = np.random.default_rng(2)
    (openings,) = draw([images], BATCH, rng, batch=BATCH, turns=TURNS, others=NEGATIVES)
    losses = [act(net, seen, stage, openings) for act in (update, singly)]
    if abs(losses[0] - losses[1]) > 1e-3:
        raise SystemExit(f"the two ways differ: {losses}")
    seconds = common.least(
        {
            "all at once": lambda: update(net, seen, stage, openings),
            "one at a time": lambda: singly(net, seen, stage, openings),
        },
        repeat,
    )
    return [
        {"case": name, "ms": 1000 * value, "times faster": seconds["one at a time"] / value}
        for name, value in seconds.items()
    ]


def main() -> None:
    parser = common.options(__doc__, repeat=5)
    parser.add_argument("--users", type=int, default=512)
    parser.add_argument("--images", type=int, default=10_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    tables = {
        f"a turn of {options.users:,} users, {options.images:,} images": of_turns(
            options.users, options.images, options.repeat
        ),
        f"an update of policy improvement, {BATCH} dialogues x {CANDIDATES} candidates, {options.images:,} images": (
            of_updates(options.images, options.repeat)
        ),
    }
    common.report("dialogues side by side", common.context("torch", "numpy"), tables, as_json=options.json)


if __name__ == "__main__":
    main()
