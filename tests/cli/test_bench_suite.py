import json

import pytest

from gossamer.bench.suite.row import Asked, Row


@pytest.fixture
def rows(monkeypatch):
    """Put rows that need no measuring in the place of the suite's."""
    rows = (
        Row("digits-plain", precision="int8", asked={1: Asked(int8=1.0)}),
        Row("digits-igc", precision="int8"),
    )
    monkeypatch.setattr("gossamer.bench.suite.rows.ROWS", rows)
    return rows


@pytest.mark.usefixtures("rows")
def test_tables_are_printed_and_written(gossamer_program, tmp_path):
    done = gossamer_program(
        *("bench", "suite", "--networks", "digits-plain", "--threads", "1"),
        *("--against", "mnn", "--out", "results", "--quick"),
    )
    assert done.status == 0, done.err
    assert "digits-plain, dense int8" in done.out
    assert "– of 1×" in done.out
    assert "digits-igc" not in done.out
    assert "wrote results" in done.out
    assert "digits-plain, dense int8, 1 thread" in done.err
    page = (tmp_path / "results" / "suite.md").read_text()
    assert "| digits-plain, dense int8 | 1 |" in page
    assert len((tmp_path / "results" / "suite.jsonl").read_text().splitlines()) == 1


@pytest.mark.usefixtures("rows")
def test_json_is_all_that_is_printed(gossamer_program):
    options = ("--networks", "digits-igc", "--threads", "1", "--against", "mnn", "--quick")
    done = gossamer_program("bench", "suite", *options, "--json")
    assert [entry["row"] for entry in json.loads(done.out)] == ["digits-igc, dense int8"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--networks", "resnet-51"), "resnet-50"),
        (("--threads", "one"), "--threads"),
        (("--threads", "0"), "threads"),
        (("--against", "mmn"), "mnn"),
        (("--isa", "avx3"), "avx2"),
    ],
)
def test_a_wrong_wish_is_one_line(gossamer_program, options, word):
    done = gossamer_program("bench", "suite", *options)
    assert (done.status, done.out) == (2, "")
    assert word in done.err
    assert done.err.count("\n") == 1


def test_help_has_an_example(gossamer_program):
    done = gossamer_program("bench", "suite", "--help")
    assert done.status == 0
    assert "Example: `gossamer bench suite" in done.out
    assert "Usage: gossamer bench suite" in done.out


def test_a_file_is_not_taken_for_the_suite(gossamer_program):
    done = gossamer_program("bench", "./suite")
    assert done.status == 2
    assert "suite" in done.err
