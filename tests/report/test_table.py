from html.parser import HTMLParser
from io import StringIO

import pytest
from rich.console import Console

from gossamer.bench.clock import Timing
from gossamer.bench.machine import Machine
from gossamer.bench.record import Record
from gossamer.errors import ShapeError
from gossamer.report.table import Table, timing_table

TABLE = Table(("layer", "bytes"), (("conv [b]1[/b]", "7"), ("<fc>|", "1,200")), "Sizes")


class Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.cells = []

    def handle_data(self, data):
        self.cells.append(data)


def test_text_is_aligned():
    assert TABLE.to_text().splitlines() == [
        "Sizes",
        "layer          bytes",
        "conv [b]1[/b]      7",
        "<fc>|          1,200",
    ]


def test_markdown_escapes_its_own_bar():
    assert TABLE.to_markdown().splitlines() == [
        "| layer | bytes |",
        "| --- | ---: |",
        "| conv [b]1[/b] | 7 |",
        "| <fc>\\| | 1,200 |",
    ]


def test_html_shows_every_cell_as_it_is():
    parser = Cells()
    parser.feed(TABLE.to_html())
    assert parser.cells == ["Sizes", "layer", "bytes", "conv [b]1[/b]", "7", "<fc>|", "1,200"]


def test_rich_shows_every_cell_as_it_is():
    console = Console(width=80, file=StringIO())
    console.print(TABLE.to_rich())
    shown = console.file.getvalue()
    for cell in (*TABLE.columns, *(cell for row in TABLE.rows for cell in row), TABLE.title):
        assert cell in shown


def test_ragged_rows_are_refused():
    with pytest.raises(ShapeError, match="one cell a column"):
        Table(("a", "b"), (("only",),))


def test_a_record_becomes_one_row_an_engine():
    record = Record(
        network="tiny",
        input_shape=(1, 1, 8, 8),
        threads=1,
        timings=(Timing("gossamer", (1.0, 2.0), 4), Timing("torch", (3.0, 6.0), 2)),
        differences={},
        machine=Machine("a processor", 2, (), "Linux", "3.11"),
        versions={},
    )
    table = timing_table(record)
    assert table.title == "tiny, input 1×1×8×8, 1 thread"
    assert table.rows == (
        ("gossamer", "1.500", "1.250–1.750", "1.000", "–"),
        ("torch", "4.500", "3.750–5.250", "3.000", "3.00× (3.00–3.00)"),
    )


def test_columns_of_words_are_left_aligned():
    table = Table(("a", "b", "c"), (("long", "word", "1"), ("x", "y", "100")), words=2)
    assert table.to_text() == "a     b       c\nlong  word    1\nx     y     100"
    assert table.to_markdown().splitlines()[1] == "| --- | --- | ---: |"
