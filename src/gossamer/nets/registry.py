"""The table of all networks."""

from gossamer.registry import Registry

NETWORKS = Registry(
    "network",
    {
        "digits-plain": "gossamer.nets.families.digits:PLAIN",
        "digits-igc": "gossamer.nets.families.digits:INTERLEAVED",
        "regconv-w16-d20": "gossamer.nets.families.igcv1:REGCONV_W16_D20",
        "regconv-w18-d20": "gossamer.nets.families.igcv1:REGCONV_W18_D20",
        "igcv1-l24m2-d20": "gossamer.nets.families.igcv1:L24M2_D20",
        "igcv1-l24m2-d38": "gossamer.nets.families.igcv1:L24M2_D38",
        "igcv1-l4m8-d20": "gossamer.nets.families.igcv1:L4M8_D20",
    },
)
