"""What the command line shows of the evaluators: rows of all transactions, and how much is left out."""

from __future__ import annotations

from typing import Any

from mtbench.cli.studies import study_tables


def record(model: str, **studies: Any) -> dict[str, Any]:
    return {"model": model, "studies": studies}


def cells(text: str) -> list[list[str]]:
    """The cells of all table rows; columns are two blanks apart."""
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]
    return [row for row in rows if len(row) > 1 and not row[0].startswith("---")]


def test_a_share_has_its_interval_beside_it_and_its_mean_stands_for_both_cutoffs() -> None:
    row = {"turns": "all", "n": 1200, "R@5": 0.1, "R@8": 0.2, "mean": 0.15, "mean interval": [0.101, 0.2]}
    (text,) = study_tables([record("file.py:Mine", drop={"rows": [row], "notes": ["A note."]})])
    assert text.startswith("drop\n====\n")
    assert cells(text) == [["model", "turns", "n", "mean"], ["Mine", "all", "1,200", "15.0 [10.1, 20.0]"]]
    assert text.endswith("\nA note.")


def test_what_is_no_share_is_not_made_a_percentage() -> None:
    row = {"n": 3, "BRI": 4.5678, "BRI interval": [4.5, 4.6], "ms": 12.3456789, "flag": True, "what": "x"}
    (text,) = study_tables([record("m", way={"rows": [row], "plain": ["BRI"]})])
    assert cells(text)[1] == ["m", "3", "4.57 [4.50, 4.60]", "12.35", "True", "x"]


def test_rows_of_one_length_are_counted_where_there_are_rows_of_all() -> None:
    rows = [{"turns": turns, "n": n} for turns, n in (("all", 5), (2, 3), (3, 2))]
    (text,) = study_tables([record("m", history={"rows": rows})])
    assert cells(text)[1:] == [["m", "all", "5"]]
    assert "2 rows by turns or age are in the record: --json, or mtbench report." in text
    (only,) = study_tables([record("m", history={"rows": rows[1:]})])
    assert cells(only)[1:] == [["m", "2", "3"], ["m", "3", "2"]]


def test_rows_of_other_columns_stand_in_a_table_of_their_own() -> None:
    rows = [{"mode": "batch", "ms": 1}, {"mode": "one", "ms": 2, "p95": 3}, {"mode": "gallery", "per image": 4}]
    (text,) = study_tables([record("m", latency={"rows": rows})])
    assert cells(text) == [
        ["model", "mode", "ms", "p95"],
        ["m", "batch", "1"],
        ["m", "one", "2", "3"],
        ["model", "mode", "per image"],
        ["m", "gallery", "4"],
    ]


def test_parts_stand_below_the_whole_and_models_below_each_other() -> None:
    study = {"rows": [{"n": 3}], "clean": {"rows": [{"n": 1}]}, "leaked": {"rows": [{"n": 2}]}}
    (text,) = study_tables([record("a", s=study), record("b", s={"not_available": "needs a model"})])
    assert cells(text)[1:] == [["a", "all", "3"], ["a", "clean", "1"], ["a", "leaked", "2"]]
    assert "b: it needs a model" in text


def test_models_of_one_name_from_two_files_are_both_shown() -> None:
    records = [record(f"{file}.py:Mine", s={"rows": [{"n": n}]}) for n, file in enumerate("ab")]
    (text,) = study_tables(records)
    assert cells(text)[1:] == [["Mine", "0"], ["Mine", "1"]]


def test_studies_of_somebodys_own_without_rows_are_named_and_nothing_more() -> None:
    (text,) = study_tables([record("m", own={"x": 1, "rows": ["no row"]})])
    assert text.splitlines() == ["own", "==="]
