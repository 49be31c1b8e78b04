import pytest
import torch
from torch import nn

from gossamer.errors import SpecError
from gossamer.nets.blocks.fused import DeeplyFused, MergeAndRun


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(2, 4, 6, 6, generator=generator) for _ in range(2))


def test_exchanging_branches_changes_nothing():
    x, _ = pictures()
    deep, shallow = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)), nn.Conv2d(4, 4, 1)
    y = DeeplyFused([deep, shallow])(x)
    torch.testing.assert_close(y, deep(x) + shallow(x))
    torch.testing.assert_close(DeeplyFused([shallow, deep])(x), y)


def test_a_fused_block_has_a_branch():
    with pytest.raises(SpecError, match="at least one branch"):
        DeeplyFused([])


@pytest.mark.parametrize(("width", "stride"), [(4, 1), (8, 2), (6, 1)])
def test_merge_and_run_by_its_formula(width, stride):
    block = MergeAndRun(4, width, stride=stride).eval()
    x = pictures()
    changed = width != 4 or stride != 1
    assert len(block.shortcuts) == (2 if changed else 0)
    cut = [f(y) for f, y in zip(block.shortcuts, x, strict=True)] if changed else x
    mean = (cut[0] + cut[1]) / 2
    residuals = [f(y) for f, y in zip(block.residuals, x, strict=True)]
    for got, residual in zip(block(x), residuals, strict=True):
        torch.testing.assert_close(got, torch.relu(residual + mean))
    torch.testing.assert_close(block.merge(x), torch.relu(sum(residuals) + mean))


def test_the_mixing_is_idempotent():
    block = MergeAndRun(4, 4).eval()
    for residual in block.residuals:
        nn.init.zeros_(residual.norm2.weight)
    x = tuple(y.abs() for y in pictures())
    once = block(x)
    assert torch.equal(once[0], once[1])
    torch.testing.assert_close(block(once), once)
