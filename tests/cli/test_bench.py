import json

import pytest

from gossamer.bench.record import read_records


def test_engines_are_timed_and_recorded(gossamer_program, net, tmp_path):
    done = gossamer_program(
        *("bench", net, "--against", "onnxruntime", "--rounds", 3, "--batch", 2),
        *("--out", tmp_path / "record.jsonl", "--explain", "--json"),
    )
    assert done.status == 0, done.err
    data = json.loads(done.out)
    assert [timing["name"] for timing in data["timings"]] == ["gossamer", "onnxruntime"]
    assert all(len(timing["times_ms"]) == 3 for timing in data["timings"])
    assert data["input_shape"] == [2, 1, 6, 6]
    assert "conv" in data["explain"]
    (record,) = read_records(tmp_path / "record.jsonl")
    assert record.command == data["command"]


def test_engines_may_be_named_with_commas(gossamer_program, net):
    done = gossamer_program(
        *("bench", net, "--against", "onnxruntime,gossamer", "--against", "onnxruntime"),
        *("--rounds", 1, "--json"),
    )
    data = json.loads(done.out)
    assert [timing["name"] for timing in data["timings"]] == ["gossamer", "onnxruntime"]
    assert data["command"].endswith("--against onnxruntime,gossamer")


def test_an_unknown_engine_is_one_line(gossamer_program, net):
    done = gossamer_program("bench", net, "--against", "onnxruntime,openvin")
    assert (done.status, done.out) == (2, "")
    assert "did you mean 'openvino'" in done.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [(("--against", "onnxruntime"), "not held"), (("--isa", "avx1024"), "instruction set")],
)
def test_only_our_program_is_held_to_an_instruction_set(gossamer_program, net, options, expected):
    done = gossamer_program("bench", net, "--isa", "portable", *options)
    assert (done.status, done.out) == (2, "")
    assert expected in done.err


def test_a_held_program_is_timed(gossamer_program, net):
    done = gossamer_program("bench", net, "--isa", "portable", "--rounds", 1, "--explain", "--json")
    data = json.loads(done.out)
    assert data["command"].endswith("--isa portable")
    assert "portable" in data["explain"].splitlines()[0]


def test_the_recorded_command_repeats_the_measurement(gossamer_program, net):
    command = json.loads(gossamer_program("bench", net, "--rounds", 1, "--json").out)["command"]
    program, *arguments = command.split()
    again = gossamer_program(*arguments)
    assert (program, again.status) == ("gossamer", 0)
    assert "gossamer" in again.out
