"""Random networks of all structures at once: every cut that is made computes what the mask does."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gossamer.compress.channels.removal import remove_channels
from gossamer.compress.channels.select import Share
from gossamer.errors import PassError

KINDS = ("conv", "grouped", "depthwise", "shuffle", "residual", "concat", "swap", "gate", "norm")


class Block(nn.Module):
    """One structure that keeps the width."""

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self.kind, groups = kind, {"grouped": 2, "depthwise": width}.get(kind, 1)
        self.conv = nn.Conv2d(2 * width if kind == "concat" else width, width, 1, groups=groups)
        self.norm = nn.GroupNorm(width // 4, width) if kind == "norm" else nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        match self.kind:
            case "shuffle":
                n, c, h, w = x.shape
                return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
            case "residual":
                return x + self.norm(self.conv(x)).sigmoid()
            case "concat":
                return self.norm(self.conv(torch.cat([x, x.relu()], 1)))
            case "swap":
                first, second = x.chunk(2, 1)
                return torch.cat([second, first], 1)
            case "gate":
                return x * self.conv(x.mean((2, 3), keepdim=True)).sigmoid()
        return self.norm(self.conv(x)).relu()


@settings(max_examples=15)
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    seed=st.integers(0, 99),
    allocation=st.sampled_from(["global", "uniform"]),
)
def test_removed_equals_masked(kinds, seed, allocation):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        blocks = [Block(kind, 16) for kind in kinds]
        model = nn.Sequential(nn.Conv2d(3, 16, 1), *blocks, nn.Flatten(), nn.Linear(64, 3)).eval()
        x = torch.randn(1, 3, 2, 2)
    try:
        made = remove_channels(model, x, Share("channels", 0.2, allocation, 0.1))
    except PassError:  # all channels may hang together
        return
    assert made.before.removed(made.after, "channels") >= 0.2
    made.model.train()(torch.randn(2, 3, 2, 2)).sum().backward()
