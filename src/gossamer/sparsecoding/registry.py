"""The table of sparse coders."""

from gossamer.registry import Registry

_HERE = "gossamer.sparsecoding"

SPARSE_CODERS = Registry(
    "sparse coder",
    {
        "ista": f"{_HERE}.ista:Ista",
        "fista": f"{_HERE}.ista:Fista",
        "coordinate-descent": f"{_HERE}.coordinate:CoordinateDescent",
        "lca": f"{_HERE}.lca:LocallyCompetitive",
    },
)
