"""`gossamer export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import Json, Profile


def export(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK", help="A name from `gossamer nets`; leave it out if WEIGHTS says it."
        ),
    ],
    weights: Annotated[
        Path | None, typer.Argument(metavar="WEIGHTS", help="A safetensors, .goss or .onnx file.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write: .goss or .onnx.")] = Path("net.goss"),
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Turn trained weights into an exact graph, check it against the network, and write it.

    A .goss or .onnx file holds such a graph already: it is written in the other form.

    Example: `gossamer export digits-plain small.safetensors --out net.goss`
    """
    import gossamer
    from gossamer.cli.network_file import load_graph
    from gossamer.cli.output import print_json
    from gossamer.cli.progress import track_file
    from gossamer.errors import SpecError
    from gossamer.replacing import check_target

    check_target(out, ".goss", ".onnx")
    is_onnx = out.suffix.lower() == ".onnx"
    if profile is not None and is_onnx:
        raise SpecError("only .goss files have a profile", where=out, got=profile)
    graph = load_graph(network, weights)
    if is_onnx:
        from gossamer.graph.to_onnx import save_onnx

        save_onnx(graph, out)
    else:
        with track_file(f"writing {out.name}") as progress:
            gossamer.save(graph, out, profile=profile, progress=progress)
    size_bytes = out.stat().st_size
    if as_json:
        print_json({"network": graph.name, "out": str(out), "size_bytes": size_bytes})
    else:
        print(f"{graph.name}: {len(graph.nodes)} operators; wrote {out}, {size_bytes:,} bytes")
