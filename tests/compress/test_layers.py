import pytest
from torch import nn

from gossamer.compress.layers import match_layers
from gossamer.errors import PassError

MODEL = nn.Sequential(
    nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
)


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        ([".*"], [], ["0", "2.0", "2.1"]),
        ([r"2\..*"], [], ["2.0", "2.1"]),
        (["0", r"2\.1"], [], ["0", "2.1"]),
        ([".*"], ["0"], ["2.0", "2.1"]),
    ],
)
def test_whole_names_match(include, exclude, names):
    assert list(match_layers(MODEL, include, exclude, where="here")) == names


def test_nothing_left_tells_what_there_was():
    with pytest.raises(PassError, match=r"here: no layer matches.*'2\.0'"):
        match_layers(MODEL, ["2"], [], where="here")


def test_bad_expression_is_named():
    with pytest.raises(PassError, match=r"here: not a regular expression \(got \*"):
        match_layers(MODEL, ["*"], [], where="here")
