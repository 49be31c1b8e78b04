import pytest

from gossamer.bench.clock import Timing
from gossamer.bench.machine import Machine
from gossamer.bench.record import Record
from gossamer.bench.suite.result import Result
from gossamer.bench.suite.row import Asked, Row
from gossamer.report.suite import missing_lines, suite_page, suite_tables

ROW = Row("net", 0.9, asked={1: Asked(fp32=6, mnn=2.5)})
OTHER = Row("other")
MACHINE = Machine("a processor", 2, ("avx2",), "Linux x86_64", "3.11.0")


def result(row, missing, **times):
    timings = tuple(Timing(name, (t, t), 1) for name, t in times.items())
    differences = {name: 1e-7 * t for name, t in times.items()}
    versions = {"mnn": "3.6"}
    record = Record(row.name, (1, 3, 8, 8), 1, timings, differences, MACHINE, versions)
    return Result(row.name, 1, "host", 5, record if timings else None, missing, 1.5, 0.125)


RESULTS = [
    result(ROW, {"deepsparse": "is not there"}, gossamer=2.0, openvino=10.0, mnn=7.0),
    result(OTHER, {"deepsparse": "is not there", "mnn": "crashed"}, gossamer=3.0),
]


@pytest.fixture
def tables():
    return suite_tables(RESULTS, [ROW, OTHER], ["openvino", "mnn", "deepsparse"])


def test_multiples_stand_beside_what_is_asked(tables):
    first, second = tables[0].rows
    assert first == (
        *("net, 90 %", "1", "5.00× (5.00–5.00) of 6×", "–", "–"),
        *("3.50× (3.50–3.50) of 2.5×", "75%"),
    )
    assert second[2:6] == ("–",) * 4


def test_times_have_their_spread_and_the_load_of_others(tables):
    table = tables[1]
    assert table.columns[2:] == ("gossamer", "openvino", "mnn", "deepsparse", "foreign load")
    assert table.rows[0][2:] == ("2 (2–2)", "10 (10–10)", "7 (7–7)", "–", "0.12")


def test_the_largest_difference_of_each_engine_is_told(tables):
    assert tables[2].rows == (("openvino", "net, 90 %", "1.0e-06"), ("mnn", "net, 90 %", "7.0e-07"))


def test_reasons_are_told_once():
    assert missing_lines(RESULTS) == [
        "deepsparse is missing: is not there",
        "mnn is missing from other, dense (1): crashed",
    ]


def test_the_page_has_machine_versions_and_reasons():
    page = suite_page(RESULTS, [ROW, OTHER], ["mnn"])
    assert "a processor, 2 cores" in page
    assert "mnn 3.6" in page
    assert "- deepsparse is missing: is not there" in page
    assert page.count("\n| net, 90 % |") == 2


def test_a_page_of_nothing():
    empty = [result(ROW, {"gossamer": "broken"})]
    assert "gossamer is missing: broken" in suite_page(empty, [ROW], ["mnn"])
