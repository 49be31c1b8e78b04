"""`gossamer bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import Json, NetFile, Threads


def bench(
    net: NetFile,
    against: Annotated[
        list[str] | None,
        typer.Option(help="Rival engines, separated by commas: onnxruntime, openvino, mnn, …"),
    ] = None,
    threads: Threads = 1,
    batch: Annotated[int, typer.Option(min=1, help="Images at once.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Samples of each engine.")] = 31,
    isa: Annotated[
        str,
        typer.Option(help="Instruction set: host (all of it), or a narrower one: avx2, portable."),
    ] = "host",
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Also say of each layer what runs, its shares, and why."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the record as a JSON line.")] = None,
    as_json: Json = False,
) -> None:
    """Time a network, in turns with other engines on the same random inputs.

    Engines: onnxruntime, openvino, mnn, deepsparse, and onnxruntime-int8 and openvino-int8, which
    run the network quantised. `gossamer bench suite` measures the published rows.

    Example: `gossamer bench net.goss --against onnxruntime,openvino --threads 2`
    """
    import numpy as np

    import gossamer
    from gossamer.bench.record import write_records
    from gossamer.cli.options import split_names
    from gossamer.cli.output import print_json, print_table
    from gossamer.cli.progress import load_tracked, track
    from gossamer.compile.compile import compile
    from gossamer.errors import SpecError
    from gossamer.jit.target import HOST
    from gossamer.replacing import check_target
    from gossamer.report.table import timing_table

    if out:
        check_target(out)
    rivals = split_names(against)
    if rivals and isa != HOST:
        raise SpecError(
            "rivals are not held to an instruction set here",
            where="--isa",
            hint="leave out --against, or see `gossamer bench suite --isa`",
        )
    graph = load_tracked(net)
    shape = (batch, *graph.input.example[1:])
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    command = f"gossamer bench {net} --threads {threads} --batch {batch} --rounds {rounds}"
    command += f" --against {','.join(rivals)}" if rivals else ""
    command += f" --isa {isa}" if isa != HOST else ""
    samples = rounds * (1 + len(rivals))
    with (
        compile(graph, threads=threads, target=isa) as program,
        track("timing", samples, shown=not as_json) as advance,
    ):
        record = gossamer.benchmark(
            program, x, against=rivals, rounds=rounds, command=command, advance=advance
        )
        reasons = program.explain() if explain else ""
    if out:
        write_records(out, [record])
    if as_json:
        print_json(record.to_dict() | ({"explain": reasons} if explain else {}))
        return
    print_table(timing_table(record))
    print(f"\n{record.machine}")
    if reasons:
        print(f"\n{reasons}")
