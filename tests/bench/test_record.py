import dataclasses
import json

import pytest

from gossamer.bench.clock import Timing
from gossamer.bench.machine import Machine
from gossamer.bench.record import Record, read_records, write_records
from gossamer.errors import DataError

RECORD = Record(
    network="tiny",
    input_shape=(1, 1, 8, 8),
    threads=2,
    timings=(Timing("gossamer", (1.0, 2.0), 4), Timing("torch", (3.0, 4.0), 2)),
    differences={"gossamer": 0.0, "torch": 1e-7},
    machine=Machine("a processor", 2, ("avx2",), "Linux x86_64", "3.11.0"),
    versions={"torch": "2.13.0"},
    command="gossamer bench tiny.goss",
    missing={"mnn": "MNN is not installed"},
)


def test_records_survive_the_file(tmp_path):
    other = dataclasses.replace(RECORD, network="other", differences={})
    write_records(tmp_path / "r.jsonl", [RECORD, other])
    assert read_records(tmp_path / "r.jsonl") == [RECORD, other]
    assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl"]


def test_a_record_is_one_line(tmp_path):
    write_records(tmp_path / "r.jsonl", [RECORD, RECORD])
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 2


def test_speedup_is_of_the_first_engine():
    assert RECORD.speedup_over("torch").median == pytest.approx(2.5)
    with pytest.raises(KeyError):
        RECORD.timing("absent")


def test_records_of_before_there_was_a_reason_are_read():
    data = RECORD.to_dict()
    del data["missing"]
    assert Record.from_dict(data) == dataclasses.replace(RECORD, missing={})


@pytest.mark.parametrize("field", sorted(set(RECORD.to_dict()) - {"missing"}))
def test_every_field_is_needed(field):
    data = RECORD.to_dict()
    del data[field]
    with pytest.raises(DataError, match=field):
        Record.from_dict(data)


@pytest.mark.parametrize("line", ["", "{", "[]", "3", '{"network": "x"}', '{"timings": 3}'])
def test_a_bad_line_is_named(tmp_path, line):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(RECORD.to_dict()) + "\n" + line + "\n")
    with pytest.raises(DataError, match="line 2"):
        read_records(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.jsonl"):
        read_records(tmp_path / "absent.jsonl")
