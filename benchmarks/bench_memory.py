"""CM-NTM against a literal loop over its stages, an LSTM, and the matrix products that it needs, in one run.

    python benchmarks/bench_memory.py [--json] [--device cuda]
    python benchmarks/bench_memory.py --gradients [--json]

Processor times of one thread, flush-denormal on for all; each is the least of several, taken in turns. The literal loop
is written as the public code is: an LSTM cell, and one linear layer for each part of a head, for every stage and turn.
"Shift by example" is the public code's convolution, one conversation at a time; "shift by batch" is kinder to it. The
floor is the matrix products of the literal loop alone, as single calls of the same sizes, of which nothing that
computes them all can stay below.

``--gradients`` measures instead where the gradient of a contrastive loss on the last turn arrives, at the start of
training: at the keys of the read heads, where equal rows of memory leave none, and at the input weights of the first
stage, where the literal cascade leaves little.
"""

from __future__ import annotations

from common import context, options, report  # isort: skip  # first: it sets one thread

import itertools
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtbench.models.nets.cascade import CascadedMemory
from mtbench.models.nets.folded import folded
from mtbench.models.nets.parameters import CHOICES

TURNS, STAGES, ROWS = 4, 4, 4


class LiteralHead(nn.Module):
    """A read or write head, a layer for each thing that it emits."""

    def __init__(self, hidden: int, columns: int, *, writes: bool, by_example: bool) -> None:
        super().__init__()
        self.key, self.s = nn.Linear(hidden, columns), nn.Linear(hidden, 3)
        self.beta, self.g, self.gamma = nn.Linear(hidden, 1), nn.Linear(hidden, 1), nn.Linear(hidden, 1)
        self.by_example, self.writes = by_example, writes
        if writes:
            self.erase, self.add = nn.Linear(hidden, columns), nn.Linear(hidden, columns)

    def forward(self, o: Tensor, before: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        beta, g = functional.softplus(self.beta(o)), torch.sigmoid(self.g(o))
        s, gamma = torch.softmax(self.s(o), dim=1), 1 + functional.softplus(self.gamma(o))
        cosine = functional.cosine_similarity(memory + 1e-16, self.key(o).unsqueeze(1) + 1e-16, dim=-1)
        gated = g * torch.softmax(beta * cosine, dim=1) + (1 - g) * before
        if self.by_example:
            rows = []
            for weights, kernel in zip(gated, s, strict=True):
                ring = torch.cat([weights[-1:], weights, weights[:1]])
                rows.append(functional.conv1d(ring.view(1, 1, -1), kernel.view(1, 1, -1)).view(-1))
            shifted = torch.stack(rows)
        else:
            shifted = s[:, :1] * gated.roll(1, 1) + s[:, 1:2] * gated + s[:, 2:] * gated.roll(-1, 1)
        powers = shifted**gamma
        weights = powers / (powers.sum(1, keepdim=True) + 1e-16)
        if not self.writes:
            return torch.matmul(weights.unsqueeze(1), memory).squeeze(1), weights
        kept = memory * (1 - torch.matmul(weights.unsqueeze(-1), torch.sigmoid(self.erase(o)).unsqueeze(1)))
        return kept + torch.matmul(weights.unsqueeze(-1), self.add(o).unsqueeze(1)), weights


class Literal(nn.Module):
    """CM-NTM stage by stage and turn by turn, with the parameters of the fast one."""

    def __init__(self, fast: CascadedMemory, *, by_example: bool) -> None:
        super().__init__()
        dim, hidden, columns = fast.dim, fast.hidden, fast.columns
        self.fc = nn.ModuleList(nn.Linear(dim, dim) for _ in range(STAGES - 1))
        self.bn = nn.ModuleList(nn.BatchNorm1d(dim) for _ in range(STAGES - 1))
        self.cells = nn.ModuleList(nn.LSTMCell(dim + 2 * columns, hidden) for _ in range(STAGES))
        heads = {"columns": columns, "by_example": by_example}
        self.reads = nn.ModuleList(LiteralHead(hidden, writes=False, **heads) for _ in range(STAGES))
        self.writes = nn.ModuleList(LiteralHead(hidden, writes=True, **heads) for _ in range(STAGES))
        self.output = nn.Linear(hidden + columns, dim)
        self.first = nn.ParameterList(nn.Parameter(part.detach().clone()) for part in fast.start())
        self.take(fast)

    @torch.no_grad()
    def take(self, fast: CascadedMemory) -> None:
        """Copy the parameters, so that both compute the same."""
        self.output.load_state_dict(fast.output.state_dict())
        h, m = fast.hidden, fast.columns
        order = [slice(0, h), slice(h, 2 * h), slice(3 * h, 4 * h), slice(2 * h, 3 * h)]  # torch: i, f, g, o
        for c in range(STAGES):
            if c + 1 < STAGES:
                part = slice(c * fast.dim, (c + 1) * fast.dim)
                self.fc[c].weight.copy_(fast.derived.linear.weight[part])
                self.fc[c].bias.copy_(fast.derived.linear.bias[part])
            reads = torch.cat([fast.link[c], fast.inputs[c], fast.own_read[c]])
            for name, weight in (("weight_ih", reads), ("weight_hh", fast.own_hidden[c])):
                getattr(self.cells[c], name).copy_(torch.cat([weight[:, gate] for gate in order], 1).t())
            self.cells[c].bias_ih.zero_()
            self.cells[c].bias_hh.zero_()
            sizes = {"key": m, "beta": 1, "gamma": 1, "g": 1, "s": 3, "erase": m, "add": m}
            for head, weight, bias in (
                (self.reads[c], fast.read_head[c], fast.read_bias[c, 0]),
                (self.writes[c], fast.write_head[c], fast.write_bias[c, 0]),
            ):
                start = 0
                for name, size in sizes.items():
                    if start < len(bias):
                        getattr(head, name).weight.copy_(weight[:, start : start + size].t())
                        getattr(head, name).bias.copy_(bias[start : start + size])
                    start += size

    def forward(self, turns: Tensor) -> Tensor:
        o, cell, r, memory, read, write = (
            [part.expand(len(turns), *part.shape[1:]) for part in parts] for parts in self.first
        )
        answers = []
        for f in turns.unbind(1):
            for c in range(STAGES):
                derived = self.bn[c](self.fc[c](f)) if c + 1 < STAGES else f
                o[c], cell[c] = self.cells[c](torch.cat([r[c - 1], derived, r[c]], 1), (o[c], cell[c]))
                found, read[c] = self.reads[c](o[c], read[c], memory[c])
                memory[c], write[c] = self.writes[c](o[c], write[c], memory[c])
                r[c] = found
            answers.append(self.output(torch.cat([o[-1], r[-1]], 1)))
        return torch.stack(answers, 1)


def floor(batch: int, dim: int, hidden: int, columns: int, *, turns: int = TURNS) -> Callable[[], object]:
    """The matrix products of the literal loop, without anything else."""
    shapes = [(dim, dim)] * (STAGES - 1) + [(hidden + columns, dim)]
    for _ in range(STAGES):
        shapes += [(dim + 2 * columns + hidden, 4 * hidden), (hidden, columns + 6), (hidden, 3 * columns + 6)]
    pairs = [(torch.randn(batch, rows), torch.randn(rows, width)) for rows, width in shapes]

    def run() -> None:
        for _ in range(turns):
            for left, right in pairs:
                torch.mm(left, right)

    return run


def least(cases: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """The least processor seconds of each case, in turns: on one thread, a busy machine adds little to them."""
    times = dict.fromkeys(cases, float("inf"))
    for _ in range(repeat):
        for name, run in cases.items():
            start = time.thread_time()
            run()
            times[name] = min(times[name], time.thread_time() - start)
    return times


def rows_of(times: dict[str, float], against: tuple[str, ...], floor_seconds: float) -> list[dict[str, Any]]:
    """A table: milliseconds, how many times each of some cases takes, and the floor's share."""
    return [
        {"case": name, "ms": 1e3 * seconds}
        | {f"{other} takes": f"{times[other] / seconds:.2f} x" for other in against}
        | {"floor / this": f"{floor_seconds / seconds:.0%}"}
        for name, seconds in times.items()
    ]


def step_of(net: nn.Module, turns: Tensor, *rest: Tensor) -> Callable[[], object]:
    """One training step without the optimizer, which is the same for all."""

    def run() -> None:
        net.zero_grad()
        net(turns, *rest).square().mean().backward()

    return run


def large(batch: int, dim: int, repeat: int) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Inference and training at the size of the paper's ablation."""
    torch.manual_seed(0)
    fast = CascadedMemory(dim, stages=STAGES, rows=ROWS, hidden=dim, cascade="read")
    ours = CascadedMemory(dim, stages=STAGES, rows=ROWS, hidden=dim)
    published, kinder = Literal(fast, by_example=True), Literal(fast, by_example=False)
    turns, mask = torch.randn(batch, TURNS, dim), torch.ones(batch, TURNS, dtype=torch.bool)
    nets = (fast, ours, published, kinder)
    for net in nets:
        net.eval()
    ready, ours_ready = folded(fast), folded(ours)
    names = ("literal, shift by example", "literal, shift by batch")
    with torch.inference_mode():
        agree = functional.cosine_similarity(fast(turns, mask), published(turns), dim=-1).min().item()
        products = floor(batch, dim, dim, dim)
        times = least(
            {
                names[0]: lambda: published(turns),
                names[1]: lambda: kinder(turns),
                "fast, the same equations": lambda: fast(turns, mask),
                "fast, folded": lambda: ready(turns, mask),
                "fast, residual (default)": lambda: ours(turns, mask),
                "fast, residual, folded": lambda: ours_ready(turns, mask),
                "matrix products": products,
            },
            repeat if batch > 1 else 5 * repeat,
        )
    inference = rows_of(times, names, times["matrix products"])
    if batch == 1:
        return {"inference": inference}, {}, agree
    for net in nets:
        net.train()
    steps = least(
        {
            names[0]: step_of(published, turns),
            names[1]: step_of(kinder, turns),
            "fast, the same equations": step_of(fast, turns, mask),
            "fast, residual (default)": step_of(ours, turns, mask),
            "matrix products, three times": lambda: [products() for _ in range(3)],
        },
        max(2, repeat // 2),
    )
    return {"inference": inference}, {"training": rows_of(steps, names, steps["matrix products, three times"])}, agree


def interactive(dim: int, hidden: int, repeat: int) -> list[dict[str, Any]]:
    """One more turn of one conversation."""
    torch.manual_seed(0)
    turn = torch.randn(1, dim)
    cell, lstm, project = nn.LSTMCell(dim, hidden), nn.LSTM(dim, hidden), nn.Linear(hidden, dim)
    kept = (torch.randn(1, hidden), torch.randn(1, hidden))
    layer = (kept[0].unsqueeze(0), kept[1].unsqueeze(0))
    nets = {
        f"{name}, C = {stages}": CascadedMemory(
            dim, stages=stages, rows=ROWS, columns=hidden, hidden=hidden, **option
        ).eval()
        for name, stages, option in (
            ("NTM", 1, {}),
            ("CM-NTM, read", 4, {"cascade": "read"}),
            ("CM-NTM, residual", 4, {}),
        )
    }
    cases: dict[str, Callable[[], object]] = {
        "LSTMCell + projection": lambda: project(cell(turn, kept)[0]),
        "nn.LSTM + projection": lambda: project(lstm(turn.unsqueeze(0), layer)[0][0]),
    }
    with torch.inference_mode():
        for name, net in nets.items():
            _, state = net.step(turn)
            cases[name] = lambda net=net, state=state: net.step(turn, state)
            late = state
            for _ in range(100):
                _, late = net.step(turn, late)
            cases[f"{name}, after 100 turns"] = lambda net=net, state=late: net.step(turn, state)
            quick = folded(net)
            cases[f"{name}, folded"] = lambda quick=quick, state=state: quick.step(turn, state)
        cases["matrix products, C = 4"] = floor(1, dim, hidden, hidden, turns=1)
        times = least(cases, 100 * repeat)
    one, two = times["LSTMCell + projection"], times["nn.LSTM + projection"]
    return [
        {"case": name, "us": 1e6 * s, "/ LSTMCell": s / one, "/ nn.LSTM": s / two}
        | {"floor / this": f"{times['matrix products, C = 4'] / s:.0%}" if "C = 4" in name else ""}
        for name, s in times.items()
    ]


def gradients(turns: int, *, cascade: str, memory: str, seed: int) -> tuple[list[float], float]:
    """At the start of training: the norm at the read keys of each stage, and that at the inputs, first / last.

    A batch of 16 random turns of length 1, as f_qry is; d = 384, H = M = 100, cosines times 10 before the softmax.
    """
    torch.manual_seed(seed)
    net = CascadedMemory(384, stages=STAGES, rows=ROWS, columns=100, hidden=100, cascade=cascade, memory=memory)
    asked, targets = (functional.normalize(torch.randn(*shape, 384), dim=-1) for shape in ((16, turns), (16,)))
    answers = functional.normalize(net(asked, torch.ones(16, turns, dtype=torch.bool))[:, -1], dim=-1)
    functional.cross_entropy(10 * answers @ targets.T, torch.arange(16)).backward()
    keys = net.read_head.grad[..., : net.columns].flatten(1).norm(dim=1)
    norms = net.inputs.grad.flatten(1).norm(dim=1)
    return keys.tolist(), float(norms[0] / norms[-1])


def gradient_rows(turns: int, seeds: range = range(3)) -> list[dict[str, Any]]:
    """A table: for each cascade and memory the least and the greatest of some seeds, and their mean ratio."""
    rows = []
    for cascade, memory in itertools.product(CHOICES["cascade"], CHOICES["memory"]):
        found = [gradients(turns, cascade=cascade, memory=memory, seed=seed) for seed in seeds]
        keys = [[one[0][c] for one in found] for c in range(STAGES)]
        rows.append(
            {"cascade": cascade, "memory": memory}
            | {f"key, stage {c}": f"{min(of):.0e} to {max(of):.0e}" for c, of in enumerate(keys, 1)}
            | {"inputs, stage 1 / last": f"{sum(ratio for _, ratio in found) / len(found):.1e}"}
        )
    return rows


def cuda(dim: int, repeat: int) -> list[dict[str, Any]]:
    """On a GPU: captured graphs against the literal loop, bfloat16 against float32, and 100 epochs of training."""
    device, batch, transactions, epochs = "cuda", 80, 10_000, 100
    torch.manual_seed(0)
    fast = CascadedMemory(dim, stages=STAGES, rows=ROWS, hidden=dim, cascade="read").to(device).eval()
    literal = Literal(fast, by_example=False).to(device).eval()
    turns, mask = (
        torch.randn(batch, TURNS, dim, device=device),
        torch.ones(batch, TURNS, dtype=torch.bool, device=device),
    )

    def timed(run: Callable[[], object], times: int) -> float:
        run()
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(times):
            run()
        torch.cuda.synchronize()
        return (time.perf_counter() - start) / times

    def captured(run: Callable[[], object], warm: int = 3) -> torch.cuda.CUDAGraph:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(warm):
                run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        return graph

    with torch.no_grad():
        full = fast(turns, mask)
        with torch.autocast(device, torch.bfloat16, cache_enabled=False):
            half = fast(turns, mask).float()
        cosine = functional.cosine_similarity(full, half, dim=-1).min().item()
        slow, eager = timed(lambda: literal(turns), repeat), timed(lambda: fast(turns, mask), repeat)
        whole = captured(lambda: fast(turns, mask))
        graph = timed(whole.replay, 20 * repeat)

        def in_half() -> None:
            with torch.autocast(device, torch.bfloat16, cache_enabled=False):
                fast(turns, mask)

        halved = captured(in_half)
        graph_half = timed(halved.replay, 20 * repeat)
    net = CascadedMemory(dim, stages=STAGES, rows=ROWS, hidden=dim).to(device)
    adam = torch.optim.Adam(net.parameters(), lr=1e-4, capturable=True)

    def train() -> None:
        adam.zero_grad(set_to_none=False)
        with torch.autocast(device, torch.bfloat16, cache_enabled=False):
            answers = net(turns, mask)
        found = functional.normalize(answers[:, -1].float(), dim=-1)
        goal = functional.normalize(turns[:, 0], dim=-1)
        functional.cross_entropy(10 * found @ goal.t(), torch.arange(batch, device=device)).backward()
        adam.step()

    steps = epochs * -(-transactions // batch)
    learning = captured(train)
    seconds = timed(learning.replay, min(steps, 2_000)) * steps
    each = 1e3 / batch
    return [
        {
            "case": "literal loop, shift by batch",
            "ms per transaction": slow * each,
            "literal takes": "1.00 x",
            "note": "",
        },
        {"case": "fast", "ms per transaction": eager * each, "literal takes": f"{slow / eager:.2f} x", "note": ""},
        {
            "case": "fast, CUDA graph",
            "ms per transaction": graph * each,
            "literal takes": f"{slow / graph:.2f} x",
            "note": "",
        },
        {
            "case": "fast, CUDA graph, bfloat16",
            "ms per transaction": graph_half * each,
            "literal takes": f"{slow / graph_half:.2f} x",
            "note": f"least cosine with float32: {cosine:.5f}",
        },
        {
            "case": f"{epochs} epochs of {transactions:,} random transactions",
            "ms per transaction": 1e3 * seconds / (epochs * transactions),
            "literal takes": "",
            "note": f"{seconds:.1f} s for {steps:,} steps",
        },
    ]


def main() -> None:
    parser = options(__doc__, repeat=6)
    parser.add_argument("--dim", type=int, default=768, help="d = H = M of the large cases")
    parser.add_argument("--batch", type=int, default=80)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--gradients", action="store_true", help="measure gradients instead of times")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    tables: dict[str, Any] = {}
    if chosen.gradients:
        tables = {f"After {n} turn{'s' * (n > 1)}": gradient_rows(n) for n in (1, 2, 4)}
        about = f"Gradients of CM-NTM at the start, C = {STAGES}, d = 384, memory {ROWS} x 100, H = 100, seeds 0 to 2"
        report(about, context("torch"), tables, as_json=chosen.json)
        return
    torch.set_flush_denormal(True)
    about = f"CM-NTM, C = {STAGES}, memory {ROWS} x {chosen.dim}, H = {chosen.dim}, {TURNS} turns, float32, 1 thread"
    if chosen.device == "cuda" and torch.cuda.is_available():
        tables[f"On {torch.cuda.get_device_name()}, batch {80}"] = cuda(chosen.dim, chosen.repeat)
        report(about.replace(", float32, 1 thread", ""), context("torch"), tables, as_json=chosen.json)
        return
    if chosen.device == "cuda":
        print("no GPU that torch can use here: timing the CPU instead\n")
    agreements = []
    for batch in dict.fromkeys((1, chosen.batch)):
        inference, training, agree = large(batch, chosen.dim, chosen.repeat)
        agreements.append(agree)
        for name, rows in (inference | training).items():
            tables[f"{name.capitalize()}, batch {batch}"] = rows
    tables["One more turn of one conversation, d = 384, H = 100, memory 4 x 100"] = interactive(384, 100, chosen.repeat)
    found = context("torch") | {"least cosine of fast with literal": f"{min(agreements):.6f}"}
    report(about, found, tables, as_json=chosen.json)


if __name__ == "__main__":
    main()
