"""`gossamer nets`."""

from __future__ import annotations

from gossamer.cli.options import Json


def nets(as_json: Json = False) -> None:
    """List the networks that can be created by name.

    Example: `gossamer nets`
    """
    from gossamer.cli.output import print_json, print_table
    from gossamer.nets.registry import NETWORKS
    from gossamer.report.table import Table

    networks = [NETWORKS[name] for name in NETWORKS]
    if as_json:
        fields = ("name", "input_shape", "num_classes", "params", "source")
        print_json([{field: getattr(network, field) for field in fields} for network in networks])
        return
    rows = tuple(
        (
            network.name,
            network.source,
            "×".join(str(size) for size in network.input_shape),
            str(network.num_classes),
            f"{network.params:,}",
        )
        for network in networks
    )
    heads = ("network", "source", "input", "classes", "parameters")
    print_table(Table(heads, rows, words=2))
