"""`gossamer sensitivity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import DataName, Json, Seed, split_names


def sensitivity(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK", help="A name from `gossamer nets`; leave it out if WEIGHTS says it."
        ),
    ],
    weights: Annotated[
        Path | None, typer.Argument(metavar="WEIGHTS", help="A safetensors file.")
    ] = None,
    over: Annotated[str, typer.Option(help="sparsity, bits or channels.")] = "sparsity",
    levels: Annotated[
        list[str] | None, typer.Option(help="Such as 0.5,0.9 or 8,4.  [default: six or seven]")
    ] = None,
    criterion: Annotated[str, typer.Option(help="What zeros are chosen by.")] = "magnitude",
    data: DataName = "digits",
    images: Annotated[int, typer.Option(min=1, help="Test pictures to measure on, at most.")] = 500,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Picture to write: .svg.")] = Path("sensitivity.svg"),
    as_json: Json = False,
) -> None:
    """Compress one layer at a time, measure the network's accuracy, and draw it.

    Layers whose channels are added to each other lose the same ones, and are one row with
    `--over channels`. Nothing is retrained.

    Example: `gossamer sensitivity plain.safetensors --data digits --out sensitivity.svg`
    """
    from contextlib import ExitStack

    from gossamer.cli.data_name import load_named_data
    from gossamer.cli.network_file import load_network
    from gossamer.cli.output import print_json, print_table
    from gossamer.cli.progress import track
    from gossamer.compress.sensitivity import measure_sensitivity
    from gossamer.replacing import check_target
    from gossamer.report.page import write_page
    from gossamer.report.sensitivity import draw_sensitivity, sensitivity_table

    check_target(out, ".svg")
    asked = _numbers(split_names(levels))
    file = load_network(network, weights)
    examples = load_named_data(data)
    with ExitStack() as stack:
        found = measure_sensitivity(
            file.model,
            file.example(),
            examples,
            over=over,
            levels=asked,
            criterion=criterion,
            images=images,
            seed=seed,
            started=lambda total: stack.enter_context(track("measuring", total)),
        )
    write_page(out, draw_sensitivity(found, file.network))
    if as_json:
        print_json({"network": file.network, "picture": str(out), **found.to_dict()})
        return
    print_table(sensitivity_table(found, file.network))
    print(f"wrote {out}")


def _numbers(texts: list[str]) -> list[float]:
    from gossamer.errors import SpecError

    try:
        return [float(text) for text in texts]
    except ValueError:
        raise SpecError("levels are numbers", where="--levels", got=", ".join(texts)) from None
