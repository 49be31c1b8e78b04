import errno

import pytest

import gossamer
from gossamer.cli import main as program

VERBS = (
    *("demo", "nets", "train", "compress", "activations"),
    *("export", "encode", "inspect", "run", "bench"),
)


def test_the_verbs_are_these(gossamer_program):
    done = gossamer_program("--help")
    assert done.status == 0
    for verb in VERBS:
        assert f"\n  {verb} " in done.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_and_json(gossamer_program, verb):
    done = gossamer_program(verb, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"Example: `gossamer {verb}" in done.out
    assert "--json" in done.out


def test_version(gossamer_program):
    assert gossamer_program("--version").out == f"gossamer {gossamer.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuchverb"],
        ["nets", "--nosuchoption"],
        ["inspect"],
        ["run", "net.goss"],
        ["bench", "net.goss", "--threads", "0"],
        ["bench", "net.goss", "--threads", "two"],
        ["demo", "--seed", "-1"],
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(gossamer_program, arguments):
    done = gossamer_program(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("gossamer: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt])
def test_interruption_is_one_line_and_status_130(gossamer_program, monkeypatch, error):
    def interrupt(*_args, **_options):
        raise error

    monkeypatch.setattr("gossamer.cli.output.print_table", interrupt)
    done = gossamer_program("nets")
    assert (done.status, done.err.strip()) == (130, "gossamer: interrupted")


def test_too_little_memory_is_one_line_and_status_2(gossamer_program, monkeypatch):
    def exhaust(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr("gossamer.cli.output.print_table", exhaust)
    done = gossamer_program("nets")
    assert (done.status, done.err) == (2, "gossamer: there is not enough memory for this\n")


def test_a_full_disk_is_one_line_and_status_2(gossamer_program, monkeypatch):
    def fill(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gossamer.cli.output.print_table", fill)
    done = gossamer_program("nets")
    assert (done.status, done.err) == (2, "gossamer: the output: No space left on device\n")


def test_without_standard_output_nothing_is_said(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    assert program.main(["nets"]) == 0


def test_our_own_bugs_are_not_hidden(monkeypatch):
    def broken(*_args, **_options):
        raise AssertionError("a bug")

    monkeypatch.setattr("gossamer.cli.output.print_table", broken)
    with pytest.raises(AssertionError, match="a bug"):
        program.main(["nets"])


def test_without_a_verb_it_prints_its_help(capsys):
    assert program.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.strip().startswith("demo")]
