"""The table of all passes."""

from gossamer.registry import Registry

PASSES = Registry(
    "pass",
    {
        "gradual-prune": "gossamer.compress.prune.gradual:GradualPrune",
        "share-weights": "gossamer.compress.cluster.share:ShareWeights",
    },
)
