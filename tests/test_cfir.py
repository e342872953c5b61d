"""CFIR against plain loops: every candidate is seen through its own words, and nothing else changes its score."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from letters import build_letters  # noqa: E402

from mtbench.cli import main  # noqa: E402
from mtbench.core.errors import MtbenchError  # noqa: E402
from mtbench.core.types import Gallery, History, Image, Transaction, Turn  # noqa: E402
from mtbench.evaluation.inputs import features_of  # noqa: E402
from mtbench.evaluation.ranker import fold_of  # noqa: E402
from mtbench.evaluation.ready import catalogue_of as catalogue_on  # noqa: E402
from mtbench.evaluation.ready import fold  # noqa: E402
from mtbench.evaluation.record import Phases  # noqa: E402
from mtbench.models.cfir import Cfir  # noqa: E402
from mtbench.models.checkpoint import open_checkpoint  # noqa: E402
from mtbench.models.learning.cfir_lessons import Lessons, batch_hard  # noqa: E402
from mtbench.models.learning.vocabulary import NOTHING, UNKNOWN, Vocabulary  # noqa: E402
from mtbench.models.nets.cfir import Groups, Network  # noqa: E402
from mtbench.models.nets.cfir_start import start_at  # noqa: E402
from mtbench.models.protocol import BLANK, Catalogue  # noqa: E402
from mtbench.training.train import TrainSettings, train  # noqa: E402

IMAGES = {
    "a": ("a red dress", ("red", "long", "dotted", "silk", "summer", "party", "v neck", "soft")),
    "b": ("a blue dress", ("blue", "long")),
    "c": ("a green dress", ("green",)),
    "d": ("a white dress with dots", ()),  # its caption is its one group
    "e": (None, ()),  # nothing is known of it
    "f": ("a black dress", ("black", "short", "red")),
    "g": ("a short dress", ("short", "red", "silk", "blue", "dotted", "long", "v neck")),
}
TALKS = [
    (("a", "b", "c"), ("is blue", "is green and longer")),
    (("b", "f", "g"), ("is black", "is shorter")),
    (("c", "a", "d"), ("is red", "has dots")),
    (("f", "g", "b", "a"), ("has more red", "", "is red and long")),
    (("g", "d", "e"), ("is white", "is something")),
    (("d", "c", "f"), ("is green", "is black")),
]
HISTORIES = [
    History("dress", ("a",), ("is blue",)),
    History("dress", ("b", "f", "g", "c"), ("is black", "is zebra striped", "", "is green")),
    History("dress", ("d", "e"), ("", "is red and has dots")),
    History("dress", (BLANK, "e", "g"), ("has more red", "is white", "is shorter")),
]
OPTIONS = [
    {"order": order, "candidate_words": words, "skip": skip, "layers": layers}
    for order, words, skip, layers in itertools.product(
        ("gru-first", "attention-first"), (False, True), (False, True), (1, 2)
    )
]


class Vectors:
    """Five numbers for every image and text, drawn from its name."""

    proxy, reads_text = "caption", True

    def images(self, image_ids):
        drawn = [np.random.default_rng(list(f"image {name}".encode())).normal(size=5) for name in image_ids]
        return np.array(drawn, np.float32).reshape(-1, 5)

    texts = images

    def describe(self):
        return {"name": "vectors"}


class Pictures(Vectors):
    """The same, of images alone."""

    reads_text = False


def catalogue_of(features=Vectors, words="caption+attributes") -> Catalogue:
    images = {name: Image(name, "dress", caption, attributes) for name, (caption, attributes) in IMAGES.items()}
    return Catalogue(images, words=words, features=features)


def folds(catalogue, talks=TALKS):
    gallery = Gallery("train", "dress", "all", tuple(IMAGES))
    transactions = [
        Transaction(str(n), "dress", tuple(Turn(r, (u,), t) for r, u, t in zip(shown, said, shown[1:], strict=False)))
        for n, (shown, said) in enumerate(talks)
    ]
    return fold_of(transactions, {"dress": gallery}, catalogue), fold_of([], {}, catalogue)


def trained(catalogue=None, talks=TALKS, **options) -> Cfir:
    """A small model after two epochs."""
    sizes = {"embedding": 4, "dim": 6, "hidden": 3, "epochs": 2, "batch": 4, "rate": 0.01, "device": "cpu"}
    model = Cfir(**{**sizes, **options})
    model.fit(*folds(catalogue or catalogue_of(), talks), catalogue or catalogue_of())
    return model


def network(seed=0, **options) -> Network:
    """A network in float64 whose norms and biases are not at their start."""
    torch.manual_seed(seed)
    sizes = {"embedding": 4, "dim": 6, "hidden": 3, "dropout": 0.0, "scale": 1.7, **OPTIONS[0]}
    net = Network(5, 9, **{**sizes, **options}).double().eval()
    with torch.no_grad():
        for name, values in net.state_dict().items():
            if values.is_floating_point() and "embedding" not in name:
                values.add_(torch.rand_like(values) / 2)
    return net


def close(one, two, tolerance=1e-9):
    torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance)


# Plain loops, from the equations


def encoded(w, words, layers):
    """The vector of one text, a list of tokens."""
    x = [w["text.embedding.weight"][word] for word in words]
    for _ in range(layers):
        mixed = []
        for i in range(len(x)):
            weights = torch.stack([torch.exp(x[i] @ other) for other in x])
            mixed.append(sum(weight * other for weight, other in zip(weights / weights.sum(), x, strict=True)))
        x = []
        for c in mixed:
            inner = torch.clamp(w["text.first.weight"] @ c + w["text.first.bias"], min=0)
            y = c + w["text.second.weight"] @ inner + w["text.second.bias"]
            y = (y - y.mean()) / torch.sqrt(((y - y.mean()) ** 2).mean() + 1e-5)
            x.append(y * w["text.norm.weight"] + w["text.norm.bias"])
    mean = sum(x) / len(x)
    normed = (mean - w["text.batch_norm.running_mean"]) / torch.sqrt(w["text.batch_norm.running_var"] + 1e-5)
    normed = normed * w["text.batch_norm.weight"] + w["text.batch_norm.bias"]
    return w["text.out.weight"] @ normed + w["text.out.bias"]


def recurrent(w, inputs):
    """Outputs of a GRU, one for each input."""
    h, found = torch.zeros(w["gru.weight_hh_l0"].shape[1], dtype=torch.float64), []
    for x in inputs:
        of_x = (w["gru.weight_ih_l0"] @ x + w["gru.bias_ih_l0"]).chunk(3)
        of_h = (w["gru.weight_hh_l0"] @ h + w["gru.bias_hh_l0"]).chunk(3)
        reset, update = torch.sigmoid(of_x[0] + of_h[0]), torch.sigmoid(of_x[1] + of_h[1])
        h = (1 - update) * torch.tanh(of_x[2] + reset * of_h[2]) + update * h
        found.append(w["out.weight"] @ h + w["out.bias"])
    return found


def distance(net, shown, said, candidate, groups):
    """Of one history, feature vectors and tokens of each turn, and one candidate with its own groups."""
    w = net.state_dict()
    layers = net.text.layers
    turns = [
        w["image.weight"] @ image + w["image.bias"] + encoded(w, words, layers)
        for image, words in zip(shown, said, strict=True)
    ]
    attributes = [encoded(w, words, layers) for words in groups]
    weight, bias = (
        torch.cat([w["attention.of_turn.weight"], w["attention.of_group.weight"]], 1),
        w["attention.of_turn.bias"],
    )

    def shares(q):
        """S[j][i], a vector: what turn i is worth to group j."""
        found = []
        for a in attributes:
            scores = [torch.exp(torch.tanh(weight @ torch.cat([turn, a]) + bias)) for turn in q]
            found.append([score / sum(scores) for score in scores])
        return found

    if net.order == "gru-first":
        q = recurrent(w, turns)
        per_group = [sum(s * turn for s, turn in zip(of_group, q, strict=True)) for of_group in shares(q)]
        asked = sum(per_group) / len(per_group)
    else:
        s = shares(turns)
        means = [sum(of_group[i] for of_group in s) / len(s) for i in range(len(turns))]
        asked = recurrent(w, [mean * turn for mean, turn in zip(means, turns, strict=True)])[-1]
    if "gate" in w:
        asked = turns[-1] + w["gate"] * asked
    seen = w["image.weight"] @ candidate + w["image.bias"]
    if net.candidate_words:
        seen = (seen + sum(attributes)) / (1 + len(attributes))
    difference = w["scale"] * asked / asked.norm() - w["scale"] * seen / seen.norm()
    return (difference**2).sum()


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())))
def test_the_distances_are_those_of_the_loops_for_every_pair_of_history_and_candidate(options):
    net = network(**options)
    torch.manual_seed(1)
    said = [[[3, 4]], [[5], [6, 6, 7], [1]], [[2, 8], [3]]]
    groups = [[[3], [4, 5]], [[6, 7, 8]], [[3], [1], [8, 8]]]
    shown = [torch.randn(len(turns), 5, dtype=torch.float64) for turns in said]
    images = torch.randn(3, 5, dtype=torch.float64)
    different = torch.tensor([[3, 0, 0], [4, 5, 0], [6, 7, 8], [1, 0, 0], [8, 8, 0]])
    owners = Groups(torch.tensor([0, 1, 2, 0, 3, 4]), torch.tensor([0, 2, 3]))
    turns = torch.full((3, 3, 6), 1e3, dtype=torch.float64)  # nonsense where there is padding
    mask = torch.zeros(3, 3, dtype=torch.bool)
    with torch.no_grad():
        for b, (vectors, texts) in enumerate(zip(shown, said, strict=True)):
            padded = torch.tensor([text + [0] * (3 - len(text)) for text in texts])
            turns[b, : len(texts)] = net.image(vectors) + net.text(padded)
            mask[b, : len(texts)] = True
        found = net(turns, mask, net.against(images, owners, net.text(different)))
        expected = [[distance(net, shown[b], said[b], images[g], groups[g]) for g in range(3)] for b in range(3)]
    close(found, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("options", OPTIONS[::3], ids=lambda o: "-".join(map(str, o.values())))
def test_the_scores_of_the_model_are_those_of_the_loops_from_words_to_distance(options):
    model, catalogue = trained(**options), catalogue_of()
    groups = {
        "a": ["red long", "dotted silk", "summer", "party", "v neck", "soft"],
        "c": ["green"],
        "d": ["a white dress with dots"],
        "e": [""],
    }
    tokens = {word: token for token, word in enumerate(model.vocabulary.words, 3)}

    def read(text):
        return [tokens.get(word, UNKNOWN) for word in text.split()] or [NOTHING]

    def see(image):
        return torch.from_numpy(catalogue.image_features([image])[0]).double()

    found = model.score(HISTORIES, list(groups), catalogue)
    net = model.net.double()
    with torch.no_grad():
        expected = [
            [
                -distance(net, [*map(see, h.references)], [*map(read, h.feedback)], see(image), [*map(read, words)])
                for image, words in groups.items()
            ]
            for h in HISTORIES
        ]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


# What a score does not depend on


@pytest.mark.parametrize("order", ["gru-first", "attention-first"])
def test_scores_do_not_depend_on_chunks_batch_gallery_or_padding(order, monkeypatch):
    model, catalogue, ids = trained(order=order), catalogue_of(), list(IMAGES)
    whole = model.score(HISTORIES, ids, catalogue)
    assert len(np.unique(whole.round(4))) > 20  # they differ between pairs
    model.chunk = 1
    np.testing.assert_allclose(model.score(HISTORIES, ids, catalogue), whole, atol=1e-5)
    monkeypatch.setattr("mtbench.models.cfir.BLOCK", 2)
    monkeypatch.setattr("mtbench.models.cfir.TEXTS", 2)
    np.testing.assert_allclose(model.score(HISTORIES, ids, catalogue), whole, atol=1e-5)
    monkeypatch.undo()
    for b, history in enumerate(HISTORIES):
        np.testing.assert_allclose(model.score([history], ids, catalogue), whole[[b]], atol=1e-5)
    np.testing.assert_allclose(model.score(HISTORIES, ids[::-1], catalogue), whole[:, ::-1], atol=1e-5)
    for g, image in enumerate(ids):  # all others removed, whichever is the target
        np.testing.assert_allclose(model.score(HISTORIES, [image], catalogue), whole[:, [g]], atol=1e-5)


def test_what_is_asked_of_a_candidate_depends_on_its_own_words():
    model, catalogue = trained(candidate_words=False), catalogue_of()
    before = model.score(HISTORIES, ["a", "b"], catalogue)
    catalogue._images["a"] = Image("a", "dress", None, ("black", "short"))
    after = model.score(HISTORIES, ["a", "b"], catalogue)
    longer = [len(history) > 1 for history in HISTORIES]  # one turn has all of the attention, whatever the words
    assert (np.abs(after - before)[longer, 0] > 1e-6).all()
    np.testing.assert_array_equal(after[:, 1], before[:, 1])


def test_padding_takes_no_part_in_the_text_encoder():
    net = network()
    with torch.no_grad():
        alone, longer = net.text(torch.tensor([[3, 4]])), net.text(torch.tensor([[3, 4, 0, 0], [5, 6, 7, 8]]))
    close(longer[:1], alone)


# Training


@pytest.mark.parametrize("options", OPTIONS[::3], ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("loss", ["softmax", "triplet"])
@pytest.mark.parametrize("start", ["features", "random"])
def test_every_parameter_learns_from_the_first_step(options, loss, start):
    model, catalogue = (
        Cfir(embedding=4, dim=5, hidden=3, loss=loss, margin=50.0, start=start, device="cpu", **options),
        catalogue_of(),
    )
    phase = next(model.phases(*folds(catalogue), catalogue))
    phase.net.train()
    lessons = len(list(itertools.chain(*phase.batches(np.random.default_rng(0)))))
    phase.loss(np.arange(lessons)).backward()
    without = [name for name, p in model.net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_the_triplet_loss_takes_the_nearest_wrong_candidate_and_the_nearest_wrong_history():
    # Two histories look for column 0, one for column 2; column 1 is nobody's target.
    distances = torch.tensor([[1.0, 4.0, 2.5], [3.0, 2.0, 9.0], [1.5, 7.0, 2.0]])
    # By history, own - nearest wrong + 1:  1 - 2.5 + 1 -> 0;   3 - 2 + 1 = 2;  2 - 1.5 + 1 = 1.5
    # By target, column 0 has the wrong 1.5: 1 - 1.5 + 1 = 0.5; 3 - 1.5 + 1 = 2.5; column 2, 2.5: 2 - 2.5 + 1 = 0.5
    loss = batch_hard(distances, torch.tensor([0, 0, 2]), 1.0)
    assert loss.item() == pytest.approx((0 + 2 + 1.5 + 0.5 + 2.5 + 0.5) / 6)
    assert batch_hard(torch.tensor([[3000.0]]), torch.tensor([0]), 1.0).item() == 0  # nothing is wrong


@pytest.mark.parametrize("loss", ["softmax", "triplet"])
def test_a_batch_of_one_trains_and_stays_finite(loss):
    model = trained(batch=1, loss=loss)
    assert all(torch.isfinite(value).all() for value in model.net.state_dict().values())
    assert torch.isfinite(model.net.train().text(torch.tensor([[3, 4]]))).all()  # one text has no variance
    one = trained(talks=TALKS[:1], turns="last")
    assert np.isfinite(one.score(HISTORIES, list(IMAGES), catalogue_of())).all()


def test_all_turns_or_the_last_are_learned_from_and_a_beginning_that_two_share_once():
    talks = [(("a", "b", "c"), ("x", "y")), (("a", "b", "d"), ("x", "z"))]
    train, _ = folds(catalogue_of(), talks)
    options = {"groups": 6, "device": "cpu"}
    every = Lessons.of(train, catalogue_of(), every=True, **options)
    last = Lessons.of(train, catalogue_of(), every=False, **options)
    names = list(every.images)
    assert [(len(h), names[t]) for h, t in zip(every.histories, every.targets, strict=True)] == [
        (1, "b"),
        (2, "c"),
        (2, "d"),
    ]
    assert [len(history) for history in last.histories] == [2, 2]


def test_a_batch_holds_each_image_and_each_text_once():
    lessons = Lessons.of(folds(catalogue_of())[0], catalogue_of(), every=True, groups=6, device="cpu")
    batch = lessons.batch(np.arange(len(lessons.histories)))
    names = list(lessons.images)
    assert [names[row] for row in batch.columns] == sorted({*"bcafgde"}, key=names.index)
    assert (batch.columns[batch.labels] == lessons.targets).all()
    rows = [tuple(row) for row in batch.tokens.tolist()]
    assert len(rows[: batch.different]) == len(set(rows[: batch.different]))
    assert len(rows[batch.different :]) == len({text for h in lessons.histories for text in h.feedback})
    assert batch.mask.sum() == len(batch.shown) == len(batch.said) == sum(map(len, lessons.histories))


def test_without_transactions_there_is_nothing_to_learn():
    with pytest.raises(MtbenchError, match="no transactions"):
        trained(talks=[])


def test_the_start_knows_what_the_features_know():
    torch.manual_seed(0)
    net = Network(
        5,
        43,
        embedding=5,
        dim=5,
        hidden=3,
        layers=1,
        dropout=0.0,
        scale=1.0,
        **{k: v for k, v in OPTIONS[0].items() if k != "layers"},
    )
    words = torch.randn(40, 5)
    tokens = torch.randint(3, 43, (600, 3))
    texts = words[tokens - 3].sum(1)  # a text means the sum of its words
    images = torch.randn(50, 5)
    start_at(net, images, texts, tokens, tokens[:50, :1])
    with torch.no_grad():
        own = net.eval().text(tokens)
        pooled = torch.cat([net.text.pool(tokens), net.text.pool(tokens[:50, :1])])
        close(net.text.batch_norm.running_mean, pooled.mean(0), 1e-5)
        close(net.text.batch_norm.running_var, pooled.var(0, correction=0), 1e-4)
        shown = net.image(images)
        close(shown @ shown.T, images @ images.T, 1e-3)  # turned, not changed
        space = torch.linalg.lstsq(images, shown).solution
        assert torch.cosine_similarity(own, texts @ space).mean() > 0.8


def test_features_that_know_images_only_will_do():
    model = trained(catalogue_of(Pictures))
    assert np.isfinite(model.score(HISTORIES, list(IMAGES), catalogue_of(Pictures))).all()


# What stands for the images


def test_an_image_is_read_by_its_attributes_or_else_by_its_words_and_the_result_says_so():
    catalogue = catalogue_of()
    model = trained(catalogue_of())
    model.score([HISTORIES[0]], ["b"], catalogue)
    assert catalogue.proxy == "caption+attributes"
    for words, seen in (("caption", "caption"), ("attributes", "caption+attributes")):  # the vectors are of captions
        other = catalogue_of(words=words)
        model.score([HISTORIES[0]], ["b"], other)
        assert other.proxy == seen
    assert catalogue_of(words="caption").attributes("a") == ()
    assert catalogue_of().attributes(BLANK) == ()
    files = Catalogue({"a": Image("a", "dress", None, ("red",), path="a.png")}, words="attributes")
    assert (files.attributes("a"), files.proxy) == (("red",), "attributes")  # the file was not looked at


def test_words_of_one_text_in_many_are_unknown_and_so_is_what_was_never_seen():
    many = Vocabulary.of(["red dress", "blue dress", "red, RED shirt", *["long"] * 1000])
    assert many.words == ("dress", "long", "red")
    assert many.tokens(["a Red-dress", ""]).tolist() == [[UNKNOWN, 5, 3], [NOTHING, 0, 0]]
    assert Vocabulary.of(["red dress"]).words == ("dress", "red")


# There and back


def test_a_checkpoint_gives_the_same_scores(tmp_path):
    benchmark = build_letters(tmp_path / "built")
    catalogue = catalogue_on(
        benchmark, "caption", lambda: features_of(benchmark, None, "caption", Phases(), progress=False)
    )
    options = {"embedding": 4, "dim": 6, "hidden": 3, "order": "attention-first", "epochs": 1, "candidate_words": True}
    path = train("cfir", benchmark, tmp_path / "out", TrainSettings(options=options, words="caption")).path
    opened = open_checkpoint(path, device="cpu").model
    model = Cfir(**options, device="cpu")
    model.fit(fold(benchmark, "train", catalogue), fold(benchmark, "dev", catalogue), catalogue)
    asked = ([History("dress", ("g", "h"), ("is red", "has stripes"))], ["g", "i"], catalogue)
    np.testing.assert_array_equal(opened.score(*asked), model.score(*asked))
    assert opened.inputs == model.inputs


def test_a_seed_makes_the_same_bytes_and_another_makes_others():
    one, two, other = trained(), trained(), trained(seed=1)
    same = [torch.equal(one.net.state_dict()[name], value) for name, value in two.net.state_dict().items()]
    assert all(same)
    assert not torch.equal(one.net.gru.weight_hh_l0, other.net.gru.weight_hh_l0)


def test_the_options_of_the_paper_are_options():
    model = Cfir(**{**Cfir.PRESETS["paper"], "embedding": 4, "dim": 6, "hidden": 3, "epochs": 1})
    model.fit(*folds(catalogue_of()), catalogue_of())
    assert (model.loss, model.margin, model.net.gate) == ("triplet", 1.0, None)


@pytest.mark.parametrize(
    "options",
    [
        *({"groups": 0}, {"layers": 0}, {"layers": 65}, {"scale": 0.0}, {"dim": 0}, {"embedding": 0}, {"hidden": 0}),
        *({"margin": -1.0}, {"dropout": 1.1}, {"chunk": 0}, {"chunk": 1 << 27}, {"scale": float("nan")}),
    ],
    ids=str,
)
def test_a_number_out_of_its_range_is_refused_in_one_line(options):
    ((name, _),) = options.items()
    with pytest.raises(ValueError, match=rf"^{name} must be .*, not [^\n]*$"):
        Cfir(**options)


def test_an_untrained_model_says_so():
    with pytest.raises(RuntimeError, match="not trained"):
        Cfir().score(HISTORIES, ["a"], catalogue_of())


def test_it_passes_the_firewall():
    small = {"epochs": 1, "embedding": 8, "dim": 8, "hidden": 8, "device": "cpu"}
    options = [word for name, value in small.items() for word in ("--set", f"{name}={value}")]
    result = CliRunner().invoke(main, ["check-model", "cfir", *options])
    assert result.exit_code == 0, result.output
