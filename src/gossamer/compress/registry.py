"""The table of all passes."""

from gossamer.registry import Registry

PASSES = Registry(
    "pass",
    {
        "remove-channels": "gossamer.compress.channels.remove:RemoveChannels",
        "gradual-prune": "gossamer.compress.prune.gradual:GradualPrune",
        "prune": "gossamer.compress.prune.one_shot:Prune",
        "sparse-gpt": "gossamer.compress.prune.sparse_gpt:SparseGPT",
        "threshold-prune": "gossamer.compress.prune.threshold:ThresholdPrune",
        "lottery-ticket": "gossamer.compress.prune.lottery:LotteryTicket",
        "dynamic-sparse": "gossamer.compress.prune.dynamic:DynamicSparse",
        "l0-prune": "gossamer.compress.prune.hard_concrete:L0Prune",
        "penalise": "gossamer.compress.prune.penalise:Penalise",
        "factor": "gossamer.compress.factor.factor:Factor",
        "interleave": "gossamer.compress.factor.interleave:Interleave",
        "reorder": "gossamer.compress.blocks.reorder:Reorder",
        "combine-columns": "gossamer.compress.blocks.combine_columns:CombineColumns",
        "penalise-activations": "gossamer.compress.neurons.penalise:PenaliseActivations",
        "truncate-activations": "gossamer.compress.neurons.truncate:TruncateActivations",
        "k-winners": "gossamer.compress.neurons.winners:KeepWinners",
        "repair": "gossamer.compress.repair:Repair",
        "share-weights": "gossamer.compress.cluster.share:ShareWeights",
        "hash-weights": "gossamer.compress.cluster.hash:HashWeights",
        "quantise": "gossamer.compress.quantise.quantise:QuantiseLayers",
        "binarise": "gossamer.compress.quantise.binarise:Binarise",
    },
)
