"""The tables of criteria and curvatures."""

from gossamer.registry import Registry

_CRITERIA = "gossamer.compress.prune.criteria"

CRITERIA = Registry(
    "criterion",
    {
        "magnitude": f"{_CRITERIA}.magnitude:Magnitude",
        "magnitude-std": f"{_CRITERIA}.magnitude:RelativeMagnitude",
        "random": f"{_CRITERIA}.random:Random",
        "taylor": f"{_CRITERIA}.taylor:Taylor",
        "obd": f"{_CRITERIA}.diagonal:BackPropagated",
        "obd-full": f"{_CRITERIA}.diagonal:BackPropagatedFull",
        "obd-hutchinson": f"{_CRITERIA}.diagonal:Hutchinson",
        "obd-exact": f"{_CRITERIA}.diagonal:Exact",
        "layer-obd": f"{_CRITERIA}.surgeon:LayerDiagonal",
        "layer-obs": f"{_CRITERIA}.surgeon:LayerSurgeon",
        "exact-obs": f"{_CRITERIA}.surgeon:ExactSurgeon",
        "wood-fisher": f"{_CRITERIA}.surgeon:WoodFisher",
        "obs": f"{_CRITERIA}.surgeon:FisherSurgeon",
    },
)

CURVATURES = Registry(
    "curvature",
    {
        "inputs": "gossamer.compress.prune.curvature.inputs:input_quadratics",
        "fisher": "gossamer.compress.prune.curvature.fisher:fisher_quadratics",
    },
)
