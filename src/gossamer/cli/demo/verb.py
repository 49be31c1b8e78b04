"""`gossamer demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gossamer.cli.options import Json, Seed


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the files and the page.")] = Path(
        "demo-output"
    ),
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train, compress, write, load, run and time two small networks; needs no download.

    Example: `gossamer demo --out demo-output`
    """
    import json
    import sys

    from gossamer.cli.demo.chain import run_demo
    from gossamer.cli.demo.page import render_demo
    from gossamer.cli.demo.summary import summarise
    from gossamer.cli.output import print_json, print_table
    from gossamer.report.page import write_page
    from gossamer.train.data import load_data

    result = run_demo(out, seed=seed, say=lambda line: print(line, file=sys.stderr, flush=True))
    pixels = load_data("digits", seed=seed).test.pixels[..., 0]
    write_page(out / "demo.html", render_demo(result, pixels))
    write_page(out / "demo.json", json.dumps(result.to_dict(), indent=2))
    if as_json:
        print_json(result.to_dict())
        return
    print_table(summarise(result))
    print(f"\n{result.duration_s:.0f} s. The page: {out / 'demo.html'}")
