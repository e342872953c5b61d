"""Models that read the turns one after the other, f_qry by f_qry: what they share, which is all but the memory.

Section 3 of FashionNTM: a single-turn model, trained before and then frozen, gives f_qry(n) of every turn and f_tar of
every image; a memory turns f_qry(1), ..., f_qry(n) into f'(n), which is compared with f_tar.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mtbench.core.options import options_of
from mtbench.core.types import History
from mtbench.models.checkpoint import model_of
from mtbench.models.combiner import Combiner
from mtbench.models.learning.examples import Examples, batches_of, examples_of, padded
from mtbench.models.learning.learned import Learned
from mtbench.models.learning.losses import Scale, among_all, in_batch
from mtbench.models.learning.trainer import Phase
from mtbench.models.protocol import Array, Catalogue, Fold

logger = logging.getLogger(__name__)

AT_ONCE = 1024
"""Histories in one piece, which bounds the memory."""

PAPER: Mapping[str, Any] = MappingProxyType(
    {
        **{"epochs": 100, "batch": 80, "rate": 1e-4, "decay": 0.0, "schedule": "constant", "clip": 0.0, "patience": 0},
        **{"skip": "none", "reads": "query", "scale": 1.0, "learned_scale": False, "mask_equal": False},
        **{"negatives": "batch", "supervise": "all", "combiner_preset": "paper"},
    }
)
"""What FashionNTM says of the training of every sequence model (section 4.2), and the literal loss."""


class Memory(Protocol):
    """The network of a subclass: turns in, one state for each out."""

    def __call__(self, turns: Tensor, mask: Tensor) -> Tensor:
        """(B, T, d) and a mask (B, T), padding on the right, to (B, T, d). Turn n sees turns 1 to n."""
        ...

    def step(self, turn: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The same for one turn (B, d); the state is None at first, and lies outside the network."""
        ...


class Reader(nn.Module):
    """f'(n) of f_qry(1..n): a memory, and around it what is an option of every model.

    Args:
        memory: of vectors of size ``dim``.
        dim: d.
        parts: whether the memory reads [f_qry; f_tar of the reference; the feedback] rather than f_qry alone.
        skip: what is added to the output of the memory, times a gate that is learned from 0: ``turn`` f_qry(n),
            ``ewma`` a moving average with a learned alpha; ``none`` leaves the output of the memory alone.
        alpha: of the moving average, at the start.
    """

    def __init__(self, memory: nn.Module, dim: int, *, parts: bool, skip: str, alpha: float) -> None:
        super().__init__()
        self.memory = memory
        self.skip = skip
        self.into = nn.Linear(3 * dim, dim) if parts else nn.Identity()
        if skip != "none":
            self.gate = nn.Parameter(torch.zeros(()))
        if skip == "ewma":
            self.alpha = nn.Parameter(torch.logit(torch.tensor(alpha)))

    def forward(self, turns: Tensor, mask: Tensor) -> Tensor:
        """f'(n) of length 1, (B, T, d), of turns (B, T, d or 3 d)."""
        found = cast(Memory, self.memory)(self.into(turns), mask)
        if self.skip == "none":
            return normalize(found, dim=-1)
        queries: Tensor = turns[..., : found.shape[-1]]
        if self.skip == "ewma":
            alpha, states = self.alpha.sigmoid(), [queries[:, 0]]
            for query in queries[:, 1:].unbind(1):
                states.append(alpha * query + (1 - alpha) * states[-1])
            queries = torch.stack(states, dim=1)
        return normalize(queries + self.gate * found, dim=-1)

    def step(self, turn: Tensor, state: tuple[Any, Tensor] | None) -> tuple[Tensor, tuple[Any, Tensor]]:
        """The same for one turn (B, d or 3 d): what went before is in the state."""
        found, inner = cast(Memory, self.memory).step(self.into(turn), state[0] if state else None)
        query = turn[..., : found.shape[-1]]
        if self.skip == "none":
            return normalize(found, dim=-1), (inner, query)
        if self.skip == "ewma" and state is not None:
            alpha = self.alpha.sigmoid()
            query = alpha * query + (1 - alpha) * state[1]
        return normalize(query + self.gate * found, dim=-1), (inner, query)


@dataclass(kw_only=True)
class SequenceModel(Learned):
    """A memory over the turns. A subclass makes it (`memory`); its options add to these.

    Args:
        combiner: checkpoint of a trained ``combiner``; without it one is trained first.
        combiner_preset: the options of that one: its defaults, or ``paper``.
        reads: what the memory sees of a turn: ``query`` f_qry, or ``parts`` f_qry, reference and feedback.
        skip: what goes round the memory: ``none``, ``turn`` or ``ewma`` (see `Reader`).
        alpha: of ``ewma``, at the start.
        negatives: ``batch``: the other targets of the batch; ``train``: all images of the training transactions.
        supervise: which turns have a loss: ``all`` (the paper), or the ``last`` of each transaction alone.
        scale: of the cosines before the softmax, at the start.
        learned_scale: whether it is learned.
        mask_equal: a target that another turn of the batch has too is no negative.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType({"paper": PAPER})
    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {"alpha": (0.001, 0.999), "scale": (0.001, 100)}
    )

    combiner: Path | None = None
    combiner_preset: Literal["", "paper"] = ""
    reads: Literal["query", "parts"] = "query"
    skip: Literal["none", "turn", "ewma"] = "ewma"
    alpha: float = 0.7
    negatives: Literal["batch", "train"] = "batch"
    supervise: Literal["all", "last"] = "last"
    scale: float = 15.0
    learned_scale: bool = True
    mask_equal: bool = True

    similarity: ClassVar[str] = "cosine"

    _single: Combiner | None = field(default=None, init=False, repr=False)

    def memory(self, dim: int) -> nn.Module:
        """The network that satisfies `Memory`, for vectors of this size."""
        raise NotImplementedError

    def network(self, **inputs: Any) -> nn.Module:
        """Combiner, reader and scale. ``combiner`` holds the options and the inputs of the single-turn model."""
        combiner: Mapping[str, Any] = inputs["combiner"]
        self._single = single = Combiner(**{**combiner["options"], "device": self.device})
        single.inputs = dict(combiner["inputs"])
        single.net = below = single.network(**combiner["inputs"])
        dim = single.composer.dim
        reader = Reader(self.memory(dim), dim, parts=self.reads == "parts", skip=self.skip, alpha=self.alpha)
        return nn.ModuleDict(
            {"combiner": below, "reader": reader, "scale": Scale(self.scale, learned=self.learned_scale)}
        )

    def phases(self, train: Fold, dev: Fold, catalogue: Catalogue) -> Iterator[Phase]:
        """The combiner, unless it is given; then the memory on top of it, frozen."""
        if self.combiner is None:
            preset = Combiner.PRESETS.get(self.combiner_preset, {})
            single = Combiner(**{**preset, "seed": self.seed, "device": self.device, "precision": self.precision})
            logger.info(
                "a combiner is trained first, with its %s options (%d epochs), which --set does not reach; for others: "
                "mtbench train combiner --set ..., then --set combiner=CHECKPOINT here",
                self.combiner_preset or "default",
                single.epochs,
            )
            yield from single.phases(train, dev, catalogue)
        else:
            single = model_of(self.combiner, Combiner, "combiner", device=self.device)
        assert single.net is not None
        options = options_of(single)
        net = self.build({"combiner": {"options": options, "inputs": single.inputs}})
        assert isinstance(net, nn.ModuleDict)
        net["combiner"].load_state_dict(single.net.state_dict())
        net["combiner"].requires_grad_(requires_grad=False)
        examples = examples_of(train, catalogue, device=self.place)
        learner = _Frozen(self, examples)
        yield Phase(
            type(self).__name__.lower(),
            net,
            self.recipe,
            partial(batches_of, examples.categories, self.batch),
            learner.loss,
            partial(dev.measures, self) if dev.histories else None,
        )

    @property
    def single(self) -> Combiner:
        """The single-turn model; RuntimeError before training."""
        if self._single is None:
            raise RuntimeError("not trained yet: call fit, or load a checkpoint")
        return self._single

    @property
    def reader(self) -> Reader:
        """The network over the turns; RuntimeError before training."""
        reader = self.made(nn.ModuleDict)["reader"]
        assert isinstance(reader, Reader)
        return reader

    def read(self, images: Tensor, texts: Tensor) -> Tensor:
        """What the memory sees of turns: (..., d), or (..., 3 d), of vectors of references and feedback (..., D)."""
        composer = self.single.composer
        query: Tensor = composer.query(images, texts)
        if self.reads == "query":
            return query
        return torch.cat([query, composer.target(images), composer.feedback(texts)], dim=-1)

    @torch.inference_mode()
    def embed_histories(self, histories: Sequence[History], catalogue: Catalogue) -> Array:
        """f'(N) of each history, float32 (B, d) of length 1."""
        parts = [
            self._embed(histories[start : start + AT_ONCE], catalogue) for start in range(0, len(histories), AT_ONCE)
        ]
        vectors: Array = torch.cat(parts).float().cpu().numpy()
        return vectors

    def embed_images(self, image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """f_tar, float32 (G, d) of length 1."""
        return self.single.embed_images(image_ids, catalogue)

    @torch.inference_mode()
    def step(self, turn: History, state: Any, catalogue: Catalogue) -> tuple[Array, Any]:
        """f'(n), (1, d), of the next turn and the state that the turn before returned; None at first."""
        found, state = self.reader.step(self._turns([turn], catalogue), state)
        vector: Array = found.float().cpu().numpy()
        return vector, state

    def _embed(self, histories: Sequence[History], catalogue: Catalogue) -> Tensor:
        lengths = [len(history) for history in histories]
        rows, mask = padded(lengths)
        turns = self._turns(histories, catalogue)[torch.from_numpy(rows).to(self.place)]
        found = self.reader(turns, torch.from_numpy(mask).to(self.place))
        last: Tensor = found[torch.arange(len(histories)), torch.tensor(lengths) - 1]
        return last

    def _turns(self, histories: Sequence[History], catalogue: Catalogue) -> Tensor:
        """What the memory sees of every turn, those of all histories one after the other."""
        references = [reference for history in histories for reference in history.references]
        texts = catalogue.text_features([text for history in histories for text in history.feedback])
        assert texts is not None  # examples_of has seen to it
        return self.read(self.tensor(catalogue.image_features(references)), self.tensor(texts))


class _Frozen:
    """The loss of a memory over a frozen combiner: every f_qry and f_tar is made once."""

    def __init__(self, model: SequenceModel, examples: Examples) -> None:
        self.model, self.examples = model, examples
        single = model.single.composer.eval()
        with torch.no_grad():
            self.targets = single.target(examples.images)
            pieces = zip(
                torch.split(examples.references, AT_ONCE), torch.split(examples.feedback, AT_ONCE), strict=True
            )
            flat = [model.read(examples.images[shown], examples.texts[said]) for shown, said in pieces]
        self.turns = torch.cat(flat)
        self.candidates = {
            category: torch.unique(
                torch.cat([part[examples.mask & of[:, None]] for part in (examples.references, examples.targets)])
            )
            for category in set(examples.categories.tolist())
            for of in [torch.from_numpy(examples.categories == category).to(examples.mask.device)]
        }

    def loss(self, rows: Any) -> Tensor:
        """Of the transactions in these rows, which are of one category."""
        net = cast(nn.ModuleDict, self.model.net)
        mask, targets = self.examples.mask[rows], self.examples.targets[rows]
        width = int(mask.sum(1).max())
        mask, targets = mask[:, :width], targets[:, :width]
        found = self.model.reader(self.turns[rows][:, :width], mask)
        if self.model.supervise == "last":  # all in one row, so that dialogues of any length are each other's negatives
            row, last = torch.arange(len(mask), device=mask.device), mask.sum(1) - 1
            found, targets, mask = found[row, last][:, None], targets[row, last][:, None], mask[:, :1]
        if self.model.negatives == "batch":
            return in_batch(found, self.targets[targets], targets, mask, net["scale"], mask_equal=self.model.mask_equal)
        candidates = self.candidates[int(self.examples.categories[rows[0]])]
        place = torch.searchsorted(candidates, targets)
        return among_all(found, self.targets[candidates], place, mask, net["scale"])
