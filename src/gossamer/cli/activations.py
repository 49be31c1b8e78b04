"""`gossamer activations`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import DataName, Json


def activations(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK", help="A name from `gossamer nets`; leave it out if WEIGHTS says it."
        ),
    ],
    weights: Annotated[
        Path | None, typer.Argument(metavar="WEIGHTS", help="A safetensors file.")
    ] = None,
    data: DataName = "digits",
    images: Annotated[int, typer.Option(min=1, help="Test pictures to look at, at most.")] = 256,
    as_json: Json = False,
) -> None:
    """Count the zeros that each layer reads, and the multiply-accumulates that meet one.

    MACs are those of one picture whose weight is not zero; those that meet a zero could be skipped
    by a kernel that looks at activations.

    Example: `gossamer activations plain.safetensors --data digits`
    """
    import numpy as np

    from gossamer.cli.data_name import load_named_data
    from gossamer.cli.network_file import load_network
    from gossamer.cli.output import print_json, print_table
    from gossamer.compress.neurons.measure import measure_activations
    from gossamer.report.table import Table
    from gossamer.train.fits import check_fits

    file = load_network(network, weights)
    examples = load_named_data(data)
    check_fits(file.model, examples)
    test = examples.test
    starts = range(0, min(images, len(test)), 64)
    report = measure_activations(
        file.model,
        (test.batch(np.arange(s, min(s + 64, images, len(test))))[0] for s in starts),
    )
    if as_json:
        print_json({"network": file.network, **report.to_dict()})
        return
    rows = tuple(
        (
            layer.name,
            f"{layer.entries:,}",
            f"{layer.sparsity:.1%}",
            f"{layer.effective_macs:,}",
            f"{layer.skippable_macs:,.0f}",
        )
        for layer in report.layers
    )
    total = (
        "total",
        "",
        f"{report.sparsity:.1%}",
        f"{report.effective_macs:,}",
        f"{report.skippable_macs:,.0f}",
    )
    heads = ("layer", "reads", "zeros", "effective MACs", "of them meet a zero")
    print_table(Table(heads, (*rows, total), f"{file.network}, a picture", words=1))
