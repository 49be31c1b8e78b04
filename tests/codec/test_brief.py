import pytest

from gossamer.codec.brief import brief, full
from gossamer.errors import FormatError, LimitExceededError

HEADER = {
    "name": "net",
    "input": ["x", [1, 3, 8, 8], [0]],
    "nodes": [
        {"name": "a", "op": {"kind": "conv2d"}, "weights": ["weight", "bias"]},
        {"name": "s", "op": {"kind": "channel_select", "order": [-1, -1, 0, 1, 2, 7, -1]}},
        {"name": "t", "op": {"kind": "add"}, "inputs": ["s", "a"]},
        {"name": "u", "op": {"kind": "concat"}, "inputs": ["t", "x", "t"]},
    ],
    "shapes": [[8, 3, 3, 3], [8], [4, 8, 1, 1], [5], [], [7], [9, 4], [4]],
    "profile": "small",
    "sections": [["dense", [1, 3]], ["mixed", [0, 2]], ["mixed", [5, 4]], ["mixed", [6, 7]]],
}
BRIEF = HEADER | {
    "nodes": [
        HEADER["nodes"][0],
        {"name": "s", "op": {"kind": "channel_select", "runs": [-1, 2, 0, 3, 7, 1, -1, 1]}},
        {"name": "t", "op": {"kind": "add"}, "inputs": [0, 1]},
        {"name": "u", "op": {"kind": "concat"}, "inputs": [0, 3, 0]},
    ],
    "shapes": [[8, 3, 3, 3], 0, [4, 0, 1, 1], [5], [], [7], [9, 0], [4]],
    "sections": [["dense", [1, 3]], ["mixed", 2], ["mixed", [5, 4]], ["mixed", 2]],
}


def free(symbols):
    pass


def test_what_follows_from_the_rest_is_left_out_and_comes_back():
    assert brief(HEADER) == BRIEF
    assert full(BRIEF, free) == HEADER


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shapes", [[8, 3, 3, 3], [8]]),
        ("shapes", [[8, 3], [4, 8]]),
        ("shapes", [0]),
        ("shapes", [None]),
        ("sections", [["mixed", [0]]]),
        ("sections", [["mixed", 9]]),
        ("sections", [["mixed", -1]]),
        ("sections", [["mixed", "x"]]),
        ("sections", [["mixed"]]),
        ("nodes", [{"name": "a", "op": {}, "inputs": ["x"]}]),
        ("nodes", [{"name": "a", "op": {}, "inputs": [1]}]),
        ("nodes", [{"name": "a", "op": {}, "inputs": [-1]}]),
        ("nodes", [{"name": "a", "op": {"runs": [0, 1, 1, 1]}}]),
        ("nodes", [{"name": "a", "op": {"runs": [0, 1, 5]}}]),
        ("nodes", [{"name": "a", "op": {"runs": [-2, 1]}}]),
        ("nodes", [{"name": "a", "op": {"runs": [0, 0]}}]),
        ("nodes", [{"name": "a", "op": {"order": [0, 1]}}]),
        ("nodes", [7]),
        ("input", []),
    ],
)
def test_other_forms_are_refused(key, value):
    with pytest.raises(FormatError):
        full(BRIEF | {key: value}, free)


def test_runs_are_charged_before_they_are_unpacked():
    def nothing_left(symbols):
        raise LimitExceededError("too much", got=symbols)

    nodes = [{"name": "a", "op": {"runs": [-1, 2**60]}}]
    with pytest.raises(LimitExceededError):
        full(BRIEF | {"nodes": nodes}, nothing_left)


def test_many_sections_are_no_trouble():
    sections = [["mixed", 1]] * 20000
    header = BRIEF | {"nodes": [], "shapes": [[1, 1]] * 20000, "sections": sections}
    with pytest.raises(FormatError):
        full(header, free)
    header["shapes"] = [[1, 1], *[[1, 0]] * 19999]
    assert full(header, free)["sections"][-1] == ["mixed", [19999]]
