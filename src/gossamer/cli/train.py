"""`gossamer train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import DataName, Json, Seed


def train(
    network: Annotated[str, typer.Argument(help="A name from `gossamer nets`.")],
    data: DataName = "digits",
    recipe: Annotated[
        Path | None, typer.Option(help="JSON file with fields of gossamer.train.recipe.Recipe.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=0, help="Overrides the recipe.")] = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("model.safetensors"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from OUT.checkpoint, if there is one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a network and write it as safetensors; OUT.checkpoint is written after each epoch.

    Example: `gossamer train digits-plain --data digits --epochs 20 --out plain.safetensors`
    """
    from dataclasses import replace

    from gossamer import create_model, fit
    from gossamer.cli.data_name import load_named_data
    from gossamer.cli.network_file import NetworkFile, save_network
    from gossamer.cli.output import print_json
    from gossamer.cli.recipe_file import read_json
    from gossamer.replacing import check_target
    from gossamer.train.recipe import Recipe

    check_target(out, ".safetensors")
    how = Recipe.from_dict(read_json(recipe)) if recipe else Recipe()
    how = replace(how, seed=seed, epochs=how.epochs if epochs is None else epochs)
    examples = load_named_data(data)
    options = {
        "num_classes": len(examples.class_names),
        "in_channels": examples.record.channels,
    }
    model = create_model(network, seed=seed, **options)
    history = []
    checkpoint = out.with_name(out.name + ".checkpoint")
    fit(model, examples, how, checkpoint=checkpoint, resume=resume, on_epoch=history.append)
    save_network(out, NetworkFile(network, model, options, examples.record))
    accuracy = history[-1].accuracy if history else None
    if as_json:
        print_json({"network": network, "out": str(out), "test_accuracy": accuracy})
    else:
        shown = "–" if accuracy is None else f"{accuracy:.2%}"
        print(f"{network}: test accuracy {shown}; wrote {out}")
