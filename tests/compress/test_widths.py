import pytest
import torch
from torch import nn

from gossamer.compress.widths import changed, numbers, resize
from gossamer.errors import DataError


class Padded(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv, self.padding, self.sizes = (
            nn.Conv2d(width, width, 1, groups=width),
            (0, width),
            [1],
        )
        self.register_buffer("scale", torch.ones(width))


def test_there_and_back():
    small = Padded(2)
    stored = changed(numbers(Padded(4)), numbers(small))
    assert stored["conv"] == {"in_channels": 2, "out_channels": 2, "groups": 2}
    assert stored[""] == {"padding": [0, 2]}
    made = resize(Padded(4), small.state_dict(), stored, where="file")
    made.load_state_dict(small.state_dict())
    assert made.padding == (0, 2)
    assert isinstance(made.conv.weight, nn.Parameter)
    assert changed(numbers(made), numbers(small)) == {}


@pytest.mark.parametrize(
    "stored",
    [
        3,
        {"conv": 3},
        {"nowhere": {"groups": 1}},
        {"conv": {"forward": 1}},
        {"conv": {"weight": 1}},
        {"conv": {"groups": "1"}},
        {"conv": {"groups": True}},
        {"conv": {"groups": -1}},
        {"conv": {"groups": [1]}},
        {"": {"padding": 1}},
        {"": {"padding": []}},
        {"": {"training": 1}},
    ],
)
def test_foreign_numbers_are_refused(stored):
    with pytest.raises(DataError, match="not those of this network"):
        resize(Padded(4), {}, stored, where="file")
