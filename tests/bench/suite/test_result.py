import json

import pytest

from gossamer.bench.suite.result import Result, read_results, write_results
from gossamer.errors import DataError
from gossamer.jit.limits import Limits


def test_a_multiple_is_over_the_fastest_of_a_kind(result):
    found = result(gossamer=2.0, onnxruntime=10.0, openvino=8.0, onnxruntime_int8=3.0, mnn=7.0)
    assert found.multiple("fp32").median == pytest.approx(4)
    assert found.multiple("int8").median == pytest.approx(1.5)
    assert found.multiple("mnn").median == pytest.approx(3.5)
    assert found.multiple("deepsparse") is None


def test_without_our_time_there_is_no_multiple(result):
    assert result(onnxruntime=10.0).multiple("fp32") is None
    assert result(missing={"gossamer": "broken"}).multiple("fp32") is None


def test_the_share_of_the_bound(result):
    assert result(gossamer=2.0, bound_ms=1.5).share_of_bound == pytest.approx(0.75)
    assert result(gossamer=2.0).share_of_bound is None
    assert result(bound_ms=1.5).share_of_bound is None


def test_engines_are_those_measured_and_those_missing(result):
    found = result(gossamer=1.0, mnn=2.0, missing={"deepsparse": "is not there"})
    assert found.engines == {"gossamer", "mnn", "deepsparse"}
    assert found.median_ms("mnn") == 2.0
    assert found.median_ms("deepsparse") is None


def test_results_survive_the_file(result, tmp_path):
    limits = Limits(50.0, {4096: 40.0})
    results = [
        result(gossamer=1.0, bound_ms=0.5, limits=limits),
        result("other", 2, missing={"mnn": "no"}),
    ]
    write_results(tmp_path / "suite.jsonl", results)
    assert read_results(tmp_path / "suite.jsonl") == results
    assert len((tmp_path / "suite.jsonl").read_text().splitlines()) == 2


def test_an_absent_file_has_no_results(tmp_path):
    assert read_results(tmp_path / "suite.jsonl") == []


def test_every_field_is_needed(result):
    data = result(gossamer=1.0).to_dict()
    assert Result.from_dict({n: v for n, v in data.items() if n != "limits"}).limits is None
    for field in set(data) - {"limits"}:  # files from before it was kept are read
        with pytest.raises(DataError, match=field):
            Result.from_dict({name: value for name, value in data.items() if name != field})


@pytest.mark.parametrize("line", ["", "{", "[]", "3", '{"row": "x"}'])
def test_a_bad_line_is_named(result, tmp_path, line):
    path = tmp_path / "suite.jsonl"
    path.write_text(json.dumps(result(gossamer=1.0).to_dict()) + "\n" + line + "\n")
    with pytest.raises(DataError, match="line 2"):
        read_results(path)
