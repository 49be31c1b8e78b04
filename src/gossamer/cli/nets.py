"""`gossamer nets`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import Json


def nets(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this network, layer by layer.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Picture of NAME to write: .svg.  [default: NAME.svg]")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the networks that can be created by name, or show one and draw its connectivity.

    The picture shows which channel reaches which and which layer reads which.

    Example: `gossamer nets digits-igc --out digits-igc.svg`
    """
    from gossamer.cli.output import print_json, print_table
    from gossamer.errors import SpecError
    from gossamer.report.networks import list_networks, network_table

    if name is None:
        if out:
            raise SpecError("--out is for the picture of one network", hint="give its NAME")
        networks = list_networks()
        print_json(networks) if as_json else print_table(network_table(networks))
    else:
        _show(name, out or Path(f"{name}.svg"), as_json)


def _show(name: str, out: Path, as_json: bool) -> None:
    from gossamer.cli.output import print_json, print_table
    from gossamer.cli.progress import track
    from gossamer.replacing import check_target
    from gossamer.report.connectivity import draw_connectivity
    from gossamer.report.layers import layer_table
    from gossamer.report.networks import NetworkView, untrained_graph
    from gossamer.report.page import write_page

    check_target(out, ".svg")
    with track(f"tracing {name}", 2) as advance:
        graph = untrained_graph(name)
        advance()
        view = NetworkView.of(name, graph)
        write_page(out, draw_connectivity(graph))
        advance()
    if as_json:
        print_json({**view.to_dict(), "picture": str(out)})
        return
    print_table(layer_table(view.layers, view.title))
    print("\n".join([*view.notes, f"wrote {out}"]))
