"""The rows of the suite and the multiples to reach, as data.

Multiples are for one thread; on two threads the same is asked of ResNet-50 and the MobileNets, less
of ResNet-56, and nothing of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

from gossamer.bench.suite.row import Asked, Row

_NOT_SLOWER = Asked(fp32=1.0)


def _always(asked: Asked) -> Mapping[int, Asked]:
    return {1: asked, 2: asked}


ROWS: tuple[Row, ...] = (
    Row("resnet-50", 0.90, asked=_always(Asked(6, 3, 3, 2.5))),
    Row("resnet-50", 0.95, asked=_always(Asked(9, 4.5, 3, 2.5))),
    Row("resnet-50", 0.90, "blocks", asked=_always(Asked(7, 3.5, 4, 2))),
    Row("resnet-50", 0.95, "blocks", asked=_always(Asked(10, 5, 4, 2))),
    Row("mobilenet-v1", 0.90, asked=_always(Asked(4, 2.3, 3, 2))),
    Row("mobilenet-v2", 0.80, pruned="pointwise", asked=_always(Asked(2, 1.3, 2.5, 1.5))),
    Row("igcv3-d", 0.80, pruned="pointwise", asked={1: Asked(2, 1.3, 2.5, 1.5)}),
    Row("resnet-56-cifar", 0.90, asked={1: Asked(8, 4.5, 2.7, 6), 2: Asked(fp32=5)}),
    Row("resnet-56-cifar", 0.95, asked={1: Asked(12, 7, 2.7, 6), 2: Asked(fp32=7)}),
    Row("squeezenet-1.0", 0.67, asked={1: Asked(fp32=1.8)}),
    Row("googlenet-torchvision", 0.67, asked={1: Asked(fp32=1.8)}),
    Row("sparsenet-concat-121", 0.67, asked={1: Asked(fp32=1.8)}),
    Row("resnet-50", asked=_always(_NOT_SLOWER)),
    Row("mobilenet-v1", asked=_always(_NOT_SLOWER)),
    Row("mobilenet-v2", asked=_always(_NOT_SLOWER)),
    Row("igcv3-d", asked={1: _NOT_SLOWER}),
    Row("resnet-56-cifar", asked={1: _NOT_SLOWER}),
    Row("squeezenet-1.0", asked={1: _NOT_SLOWER}),
    Row("googlenet-torchvision", asked={1: _NOT_SLOWER}),
    Row("sparsenet-concat-121", asked={1: _NOT_SLOWER}),
    Row("resnet-50", precision="int8", asked={1: Asked(int8=1.0)}),
    Row("mobilenet-v1", precision="int8", asked={1: Asked(int8=1.0)}),
    Row("mobilenet-v2", precision="int8", asked={1: Asked(int8=1.0)}),
    Row("resnet-56-cifar", precision="int8", asked={1: Asked(int8=1.0)}),
    Row("resnet-50", 0.90, precision="int8"),
    Row("resnet-50", 0.95, precision="int8"),
    Row("resnet-50", 0.90, "blocks", precision="int8"),
    Row("mobilenet-v1", 0.90, precision="int8"),
    Row("resnet-56-cifar", 0.90, precision="int8"),
    Row("resnet-56-cifar", 0.95, precision="int8"),
    # Zeros that are not uniform: measured, nothing asked.
    Row("resnet-50", 0.90, allocation="erk"),
    Row("resnet-50", 0.95, allocation="erk"),
    # Blocks of input channels: measured, nothing asked.
    Row("resnet-50", 0.90, "runs"),
    Row("resnet-50", 0.95, "runs"),
    # Larger pictures do not fit in the caches: measured, nothing asked.
    Row("resnet-50", 0.90, size=448),
    Row("mobilenet-v2", 0.80, pruned="pointwise", size=448),
    Row("resnet-50", size=448),
    Row("mobilenet-v2", size=448),
    Row("resnet-20-cifar", 0.90, allocation="global", weights="resnet20-12fca82f.th"),
    Row("resnet-32-cifar", 0.90, allocation="global", weights="resnet32-d509ac18.th"),
)
