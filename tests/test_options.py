"""Options typed as text become the types a constructor declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from mtbench.core.errors import MtbenchError, RefusedError
from mtbench.core.options import construct, known_options, meanings, options_of


class Plugin:
    def __init__(
        self,
        *,
        model: str,
        dims: int = 8,
        rate: float = 0.5,
        exact: bool = False,
        file: Path | None = None,
        mode: Literal["last", "mean"] = "last",
        widths: tuple[int, ...] = (4, 2),
        limit: int | str = 3,
    ) -> None:
        if dims > 100:
            raise ValueError("dims must be at most 100")
        self.model, self.dims, self.rate, self.exact = model, dims, rate, exact
        self.file, self.mode, self.widths, self.limit = file, mode, widths, limit


class Bare:
    pass


class Open:
    def __init__(self, k=1, **rest: Any) -> None:  # type: ignore[no-untyped-def]
        self.k, self.rest = k, rest


def make(**options: object) -> Plugin:
    return construct(Plugin, {"model": "m", **options}, what="encoder 'p'")


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("model", "clip", "clip"),
        ("dims", "12", 12),
        ("dims", 12, 12),
        ("rate", "1e-3", 0.001),
        ("rate", 1, 1.0),
        ("exact", "yes", True),
        ("exact", "FALSE", False),
        ("file", "a/b.npz", Path("a/b.npz")),
        ("file", "none", None),
        ("mode", "mean", "mean"),
        ("widths", "3, 1", (3, 1)),
        ("widths", [3, 1], (3, 1)),
        ("limit", "7", 7),
        ("limit", "all", "all"),
    ],
)
def test_a_value_becomes_the_annotated_type(name: str, typed: object, value: object) -> None:
    found = getattr(make(**{name: typed}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("dims", "1.5", "dims: '1.5' is not a whole number"),
        ("dims", True, "dims: True is not a whole number"),
        ("rate", "nan", "rate: 'nan' is not a number"),
        ("exact", "maybe", "exact: 'maybe' is neither true nor false"),
        ("mode", "max", "mode: 'max' is not one of last, mean"),
        ("widths", "3,x", "widths: 'x' is not a whole number"),
        ("model", 3, "model: 3 is not text"),
        ("dims", "101", "dims must be at most 100"),
    ],
)
def test_a_value_of_another_type_is_refused_in_words(name: str, typed: object, message: str) -> None:
    with pytest.raises(MtbenchError) as caught:
        make(**{name: typed})
    assert message in str(caught.value)


def test_all_wrong_options_are_named_at_once_with_those_that_exist() -> None:
    with pytest.raises(MtbenchError) as caught:
        construct(Plugin, {"dims": "x", "dimms": "3"}, what="encoder 'p'")
    assert str(caught.value).splitlines() == [
        "encoder 'p': 3 problems",
        "  dims: 'x' is not a whole number",
        "  dimms: no such option. Did you mean 'dims'?",
        "  model: must be given",
        "Options: model, dims, rate, exact, file, mode, widths, limit",
    ]


def test_what_a_constructor_refuses_is_told_in_its_own_words_alone() -> None:
    class Sized:
        def __init__(self, *, size: int = 1) -> None:
            if size < 1:
                raise ValueError(f"size must be 1 or more, not {size}")

    with pytest.raises(RefusedError, match=r"^model 's': size must be 1 or more, not 0$"):
        construct(Sized, {"size": "0"}, what="model 's'")
    with pytest.raises(MtbenchError, match=r"^model 's': weight: no such option\nOptions: size$"):
        construct(Sized, {"weight": "0"}, what="model 's'")


def test_what_an_option_means_is_read_from_the_docstrings_of_its_class_and_of_those_above() -> None:
    class Below:
        """One thing.

        Args:
            size: how large; of
                the whole.
            rate, decay: of learning. More about it.

        Attributes:
            kind: ``one`` or ``two``.
        """

        def __init__(self, *, size: int = 1, rate: float = 0.5, decay: float = 0.5, kind: str = "", other: int = 1):
            pass

    class Above(Below):
        """Another one.

        Args:
            size: how long.
        """

    told = {"size": "how long.", "rate": "of learning.", "decay": "of learning.", "kind": "one or two.", "other": ""}
    assert meanings(Above) == told


def test_a_class_without_constructor_takes_no_option() -> None:
    assert isinstance(construct(Bare, {}, what="b"), Bare)
    with pytest.raises(MtbenchError, match=r"k: no such option\nOptions: none"):
        construct(Bare, {"k": "1"}, what="b")


def test_an_option_without_annotation_takes_the_type_of_its_default_and_open_ones_pass() -> None:
    plugin = construct(Open, {"k": "4", "other": "x"}, what="o")
    assert (plugin.k, plugin.rest) == (4, {"other": "x"})


def test_options_can_be_read_back_and_make_the_same_plugin() -> None:
    options = options_of(make(dims="9", file="a.npz"))
    assert options["dims"] == 9
    assert options["file"] == "a.npz"
    again = construct(Plugin, options, what="encoder 'p'")
    assert vars(again) == vars(make(dims="9", file="a.npz"))


def test_known_options_name_what_must_be_given_without_a_default() -> None:
    assert known_options(Plugin)[:2] == ["model", "dims=8"]
