"""The table of orderings."""

from gossamer.registry import Registry

_ORDERINGS = "gossamer.compress.blocks.orderings"

ORDERINGS = Registry(
    "ordering",
    {
        "jaccard": f"{_ORDERINGS}:JACCARD",
        "co-cluster": f"{_ORDERINGS}:CO_CLUSTER",
        "swaps": f"{_ORDERINGS}:SWAPS",
    },
)
