import numpy as np
import torch
from torch import nn

from gossamer.images import InputRecord
from gossamer.train.data import Split
from gossamer.train.evaluate import accuracy

RECORD = InputRecord(
    1, 1, "L", scale=1.0, mean=(0.0,), deviation=(1.0,), class_names=("a", "b", "c")
)


class Answer(nn.Module):
    """Says what the pixel says."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert not self.training
        return nn.functional.one_hot(x.flatten().long(), 3).float()


def test_counts_right_answers_over_uneven_batches():
    pixels = np.array([0, 1, 2, 0, 1, 2, 0], np.uint8).reshape(-1, 1, 1, 1)
    labels = np.array([0, 1, 2, 0, 0, 0, 0])
    model = Answer().train()
    for batch_size in (1, 3, 100):
        assert accuracy(model, Split(pixels, labels, RECORD), batch_size=batch_size) == 5 / 7
    assert model.training
