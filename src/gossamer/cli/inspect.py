"""`gossamer inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gossamer.cli.options import Json, NetFile

if TYPE_CHECKING:
    from gossamer.codec.inspect import FileReport


def inspect(net: NetFile, as_json: Json = False) -> None:
    """Show what is in a file: each tensor's bytes and coders, against its entropy.

    The entropy, in bytes, is the zero-order bound of positions and values; tables and centroids
    come on top. Dense tensors, whose values are mostly all different, have no useful bound. The
    column `model` is what the mixing coder's probabilities add up to, centroids included.

    Example: `gossamer inspect net.goss`
    """
    from gossamer.cli.output import print_json, print_table
    from gossamer.codec.inspect import inspect_file
    from gossamer.report.table import Table

    file = inspect_file(net)
    if as_json:
        print_json(_to_dict(file))
        return
    rows = [
        (
            tensor.name,
            tensor.layout,
            "+".join(dict.fromkeys(tensor.coders)),
            "×".join(str(size) for size in tensor.shape),
            f"{tensor.density:.1%}",
            f"{tensor.bits_per_weight:.2f}",
            f"{tensor.size_bytes:,}",
            "" if tensor.layout == "dense" else f"{tensor.entropy_bits / 8:,.0f}",
            "" if tensor.ideal_bits is None else f"{tensor.ideal_bits / 8:,.1f}",
        )
        for tensor in file.tensors
    ]
    rest = (("header", file.header_bytes), ("frame", file.frame_bytes), ("file", file.size_bytes))
    rows += [(name, *[""] * 5, f"{size_bytes:,}", "", "") for name, size_bytes in rest]
    heads = (
        "tensor",
        "layout",
        "coder",
        "shape",
        "density",
        "bits a weight",
        "bytes",
        "entropy",
        "model",
    )
    made_for = f"version {file.version}" + (f" ({file.profile})" if file.profile else "")
    title = f"{file.name}, .goss {made_for}, {file.bits_per_weight:.2f} bits a weight"
    print_table(Table(heads, tuple(rows), title, words=3))


def _to_dict(file: FileReport) -> dict[str, Any]:
    from dataclasses import asdict

    computed = ("bits_per_weight", "coders")
    tensors = [
        asdict(tensor) | {name: getattr(tensor, name) for name in computed}
        for tensor in file.tensors
    ]
    return asdict(file) | {"bits_per_weight": file.bits_per_weight, "tensors": tensors}
