"""`gossamer export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import Json


def export(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK", help="A name from `gossamer nets`; leave it out if WEIGHTS says it."
        ),
    ],
    weights: Annotated[
        Path | None, typer.Argument(metavar="WEIGHTS", help="A safetensors file.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write: .goss or .onnx.")] = Path("net.goss"),
    as_json: Json = False,
) -> None:
    """Turn trained weights into an exact graph, check it against the network, and write it.

    Example: `gossamer export digits-plain small.safetensors --out net.goss`
    """
    import gossamer
    from gossamer.cli.network_file import load_network
    from gossamer.cli.output import print_json

    file = load_network(network, weights)
    graph = gossamer.export(file.model, file.example(), record=file.record, name=file.network)
    if out.suffix == ".onnx":
        from gossamer.graph.to_onnx import save_onnx

        save_onnx(graph, out)
    else:
        gossamer.save(graph, out)
    size_bytes = out.stat().st_size
    if as_json:
        print_json({"network": file.network, "out": str(out), "size_bytes": size_bytes})
    else:
        print(f"{file.network}: {len(graph.nodes)} operators; wrote {out}, {size_bytes:,} bytes")
