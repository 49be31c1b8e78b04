"""`gossamer run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import Json, NetFile


def run(
    net: NetFile,
    inputs: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Pictures, or .npy arrays (N, C, H, W).")
    ],
    top: Annotated[int, typer.Option(min=1, help="Classes to show for each input.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Threads to run with.")] = 1,
    as_json: Json = False,
) -> None:
    """Run a network on pictures or arrays and print the likeliest classes.

    The probabilities are the softmax of the network's outputs, whether it ends in one or not.

    Example: `gossamer run net.goss photo.jpg`
    """
    from gossamer.cli.classify import classify, makes_probabilities, read_input
    from gossamer.cli.output import print_json, print_table
    from gossamer.cli.progress import load_tracked
    from gossamer.compile.compile import compile
    from gossamer.report.table import Table

    graph = load_tracked(net)
    arrays = [(str(path), read_input(path, graph)) for path in inputs]
    names = graph.record.class_names if graph.record else ()
    done = makes_probabilities(graph)
    with compile(graph, threads=threads) as program:
        found = [
            (f"{path}[{index}]" if len(array) > 1 else path, guesses)
            for path, array in arrays
            for index, guesses in enumerate(
                classify(program(array), names, top, probabilities=done, where=path)
            )
        ]
    if as_json:
        print_json([{"input": where, "softmax": guesses} for where, guesses in found])
        return
    rows = tuple(
        (where if rank == 0 else "", guess["class"], f"{guess['probability']:.1%}")
        for where, guesses in found
        for rank, guess in enumerate(guesses)
    )
    print_table(Table(("input", "class", "softmax"), rows, words=2))
