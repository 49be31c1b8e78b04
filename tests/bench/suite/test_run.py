from dataclasses import replace

import pytest

from gossamer.bench.suite.row import Row
from gossamer.bench.suite.rows import ROWS
from gossamer.bench.suite.run import ALL_RIVALS, SuiteOptions, run_suite, select_rows
from gossamer.errors import DataError, SpecError, UnknownNameError

ROW_A, ROW_B = Row("digits-plain", 0.9), Row("digits-plain")
OPTIONS = SuiteOptions(threads=(1, 2), engines=("mnn",), rounds=2)


@pytest.fixture
def measured(monkeypatch, result):
    """Take the place of measuring; returns the list of what was asked for."""
    asked = []

    def measure_apart(row, conditions, *, limit_s):
        asked.append((row.name, conditions.threads))
        times = dict.fromkeys(["gossamer", *conditions.engines], float(len(asked)))
        options = {"isa": conditions.isa, "rounds": conditions.rounds}
        return result(row.name, conditions.threads, **options, **times)

    monkeypatch.setattr("gossamer.bench.suite.run.measure_apart", measure_apart)
    return asked


def test_every_row_is_measured_on_every_number_of_threads(measured, tmp_path):
    said = []
    results = run_suite([ROW_A, ROW_B], OPTIONS, tmp_path / "new", say=said.append)
    assert measured == [(r.name, threads) for threads in (1, 2) for r in (ROW_A, ROW_B)]
    assert [(r.row, r.threads) for r in results] == measured
    assert said == [
        "digits-plain, 90 %, 1 thread",
        "digits-plain, dense, 1 thread",
        "digits-plain, 90 %, 2 threads",
        "digits-plain, dense, 2 threads",
    ]


def test_what_is_finished_is_not_measured_again(measured, tmp_path):
    first = run_suite([ROW_A], OPTIONS, tmp_path)
    both = run_suite([ROW_A, ROW_B], OPTIONS, tmp_path)
    assert measured == [(ROW_A.name, 1), (ROW_A.name, 2), (ROW_B.name, 1), (ROW_B.name, 2)]
    assert [r for r in both if r.row == ROW_A.name] == first


def test_an_interrupted_suite_keeps_its_rows(measured, monkeypatch, tmp_path):
    def interrupted(line):
        if ROW_B.name in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_suite([ROW_A, ROW_B], OPTIONS, tmp_path, say=interrupted)
    run_suite([ROW_A, ROW_B], OPTIONS, tmp_path)
    assert measured.count((ROW_A.name, 1)) == 1


@pytest.mark.parametrize(
    "change", [{"rounds": 3}, {"isa": "avx2"}, {"engines": ("mnn", "openvino")}]
)
def test_under_other_conditions_it_is_measured_again(measured, tmp_path, change):
    run_suite([ROW_A], OPTIONS, tmp_path)
    run_suite([ROW_A], replace(OPTIONS, **change), tmp_path)
    assert len(measured) == 4


def test_fewer_rivals_are_finished_already(measured, tmp_path):
    run_suite([ROW_A], replace(OPTIONS, engines=("mnn", "openvino")), tmp_path)
    run_suite([ROW_A], OPTIONS, tmp_path)
    assert len(measured) == 2


def test_again_replaces_what_is_there(measured, tmp_path):
    run_suite([ROW_A], OPTIONS, tmp_path)
    again = run_suite([ROW_A], OPTIONS, tmp_path, again=True)
    assert len(measured) == 4
    assert run_suite([ROW_A], OPTIONS, tmp_path) == again


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "suite.jsonl").write_text("not JSON\n")
    with pytest.raises(DataError, match=r"suite\.jsonl, line 1"):
        run_suite([ROW_A], OPTIONS, tmp_path)


def test_rows_are_selected_by_network():
    assert select_rows(ROWS, []) == list(ROWS)
    assert {r.network for r in select_rows(ROWS, ["igcv3-d"])} == {"igcv3-d"}
    assert {r.name for r in select_rows(ROWS, ["mobilenet-v2 at 448"])} == {
        "mobilenet-v2 at 448, 80 % of the pointwise weights",
        "mobilenet-v2 at 448, dense",
    }
    with pytest.raises(UnknownNameError, match="resnet-50"):
        select_rows(ROWS, ["resnet-51"])


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"threads": ()}, SpecError),
        ({"threads": (0,)}, SpecError),
        ({"rounds": 0}, SpecError),
        ({"isa": "sse"}, SpecError),
        ({"engines": ("torch",)}, SpecError),
        ({"engines": ("onnxrutime",)}, UnknownNameError),
    ],
)
def test_impossible_options_are_refused(options, error):
    with pytest.raises(error):
        SuiteOptions(**options)


def test_all_rivals_are_measured_unless_told_otherwise():
    assert SuiteOptions().engines == ALL_RIVALS
    assert {"onnxruntime", "openvino-int8", "mnn", "deepsparse"} <= set(ALL_RIVALS)
