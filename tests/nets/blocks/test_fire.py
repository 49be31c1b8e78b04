import torch

from gossamer.nets.blocks.fire import Fire


def test_branches_stand_side_by_side():
    fire = Fire(6, 2, 3, 5)
    x = torch.randn(2, 6, 4, 4, generator=torch.Generator().manual_seed(0))
    squeezed = torch.relu(fire.squeeze(x))
    y = fire(x)
    assert y.shape == (2, 8, 4, 4)
    assert torch.equal(y[:, :3], torch.relu(fire.expand1x1(squeezed)))
    assert torch.equal(y[:, 3:], torch.relu(fire.expand3x3(squeezed)))


def test_weights_and_biases_of_the_first_module_of_squeezenet():
    # (96 + 1)·16 + (16 + 1)·64 + (9·16 + 1)·64, as in table 1 of the paper.
    assert sum(p.numel() for p in Fire(96, 16, 64, 64).parameters()) == 11_920
