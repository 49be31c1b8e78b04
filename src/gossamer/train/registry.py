"""The tables of what a recipe and `load_data` can name."""

from gossamer.registry import Registry

DATASETS = Registry(
    "data set",
    {
        "digits": "gossamer.train.loaders.digits:load",
        "mnist": "gossamer.train.loaders.idx:load",
        "folder": "gossamer.train.loaders.folders:load",
    },
)

AUGMENTS = Registry(
    "augmentation",
    {
        "none": "gossamer.train.augment:keep",
        "shift": "gossamer.train.augment:shift",
        "crop-mirror": "gossamer.train.augment:crop_mirror",
    },
)

SCHEDULES = Registry(
    "schedule",
    {
        "cosine": "gossamer.train.schedule:cosine",
        "step": "gossamer.train.schedule:step",
        "constant": "gossamer.train.schedule:constant",
    },
)

OPTIMISERS = Registry(
    "optimiser",
    {"sgd": "gossamer.train.optimiser:sgd", "adamw": "gossamer.train.optimiser:adamw"},
)

PRECISIONS = Registry("precision", {"float32": "torch:float32", "bfloat16": "torch:bfloat16"})
