"""Run DeepSparse for another process; needs numpy and deepsparse, and nothing of gossamer.

    PYTHON -I deepsparse.py

reads one JSON object a line from standard input and answers each with one line:

    {"do": "load", "model": "net.onnx", "batch": 1, "threads": 1}
                                         → {"version": "1.8.0", "isa": "avx2"}
    {"do": "bind", "input": "x.npy"}     → {}
    {"do": "run", "output": "y.npy"}     → {}
    {"do": "time", "repeats": 5}         → {"elapsed_ns": 123456}

or with {"error": "…"}. It ends with its input.
"""

import json
import os
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np


class Session:
    """One network and one input; each method answers one kind of request."""

    engine: Any
    inputs: list[np.ndarray]

    def load(self, model: str, batch: int, threads: int) -> dict:
        """Compile a network."""
        deepsparse: Any = import_module("deepsparse")
        self.engine = deepsparse.Engine(
            model=model, batch_size=batch, num_cores=threads, num_streams=1
        )
        return {"version": deepsparse.__version__, "isa": self.engine.cpu_avx_type}

    def bind(self, input: str) -> dict:
        """Read the input."""
        self.inputs = [np.load(input)]
        return {}

    def run(self, output: str) -> dict:
        """Run once and write the output."""
        np.save(output, self.engine.run(self.inputs, val_inp=False)[0])
        return {}

    def time(self, repeats: int) -> dict:
        """Run that often."""
        run, inputs = self.engine.run, self.inputs
        start = time.perf_counter_ns()
        for _ in range(repeats):
            run(inputs, val_inp=False)
        return {"elapsed_ns": time.perf_counter_ns() - start}


def main() -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the engine prints is no answer
    session = Session()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(session, request.pop("do"))(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
