import torch

from gossamer.compress.channels.arrays import along, compact, line, slabs, varying


def test_constant_axes_take_no_memory():
    labels = along(torch.tensor([1, 2]), (1, 2, 3, 4), 1)
    assert labels.shape == (1, 2, 3, 4)
    assert varying(labels) == (1,)
    whole = compact(labels.contiguous())
    assert varying(whole) == (1,)
    assert torch.equal(whole, labels)
    assert line(labels, 1).tolist() == [1, 2]


def test_slabs_leave_repeats_out():
    labels = torch.tensor([[1, 2], [3, 4]])[None, :, :, None].expand(1, 2, 2, 5)
    assert varying(labels) == (1, 2)
    assert slabs(labels, 1).tolist() == [[1, 2], [3, 4]]
    assert slabs(labels, -2).tolist() == [[1, 3], [2, 4]]
