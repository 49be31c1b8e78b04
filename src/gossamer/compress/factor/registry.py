"""The table of decompositions with ranks."""

from gossamer.registry import Registry

METHODS = Registry(
    "decomposition",
    {
        "svd": "gossamer.compress.factor.svd:SVD",
        "weighted-svd": "gossamer.compress.factor.weighted_svd:WeightedSVD",
        "separable": "gossamer.compress.factor.separable:Separable",
        "tucker": "gossamer.compress.factor.tucker:Tucker",
        "cp": "gossamer.compress.factor.cp:CP",
    },
)
