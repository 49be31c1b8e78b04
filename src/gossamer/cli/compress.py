"""`gossamer compress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import DataName, Json


def compress(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK", help="A name from `gossamer nets`; leave it out if WEIGHTS says it."
        ),
    ],
    weights: Annotated[
        Path | None, typer.Argument(metavar="WEIGHTS", help="A safetensors file.")
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="digits, deep-compression, gradual, one-shot, channels, low-rank, int8, binary, "
            "or a .yaml file."
        ),
    ] = "digits",
    data: DataName = "digits",
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("small.safetensors"),
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep what is finished in OUT.passes, and go on from there."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Prune, share and retrain the weights of a network as a recipe says.

    With --resume a compression that was interrupted goes on where it was, within a training, too.

    Example: `gossamer compress plain.safetensors --recipe digits --out small.safetensors`
    """
    from dataclasses import replace

    from gossamer.cli.data_name import load_named_data
    from gossamer.cli.network_file import load_network, save_network
    from gossamer.cli.output import print_json
    from gossamer.compress.compress import compress as run_recipe
    from gossamer.replacing import check_target

    check_target(out, ".safetensors", source=weights or network)
    file = load_network(network, weights)
    examples = load_named_data(data)
    kept = out.with_name(out.name + ".passes") if resume else None
    result = run_recipe(
        file.model, file.example(), recipe, data=examples, checkpoint=kept, resume=resume
    )
    save_network(out, replace(file, model=result.model, record=examples.record))
    if as_json:
        print_json({"network": file.network, "out": str(out), "ledger": result.ledger.to_dict()})
    else:
        print(f"{result.ledger}\n{file.network}: wrote {out}")
