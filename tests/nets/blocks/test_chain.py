import torch
from torch import nn

from gossamer.nets.blocks.chain import classifier_chain


def test_pools_every_size_to_one_vector():
    chain = classifier_chain(nn.Identity(), [], 3, 5)
    x = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(chain(x), chain.head(x.mean((2, 3))))
