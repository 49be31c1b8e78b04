"""What `import gossamer` promises."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

import gossamer

PUBLIC = ["create_model", "fit", "compress", "export", "save", "load", "compile", "benchmark"]
HEAVY = ("torch", "llvmlite", "onnx", "onnxruntime", "sklearn", "matplotlib", "numpy")


def fresh(code, *arguments):
    """Run code in a new process, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={
            "PYTHONPATH": ":".join(path for path in sys.path if path),
            "GOSSAMER_CACHE": os.environ["GOSSAMER_CACHE"],
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_public_names_are_these():
    assert gossamer.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(gossamer))


DESCRIBE = """
import gossamer
for name in gossamer.__all__:
    function = getattr(gossamer, name)
    print(function.__name__, callable(function), bool(function.__doc__))
"""


def test_every_public_name_is_a_documented_function():
    assert fresh(DESCRIBE).splitlines() == [f"{name} True True" for name in PUBLIC]


@pytest.mark.parametrize("name", ["compress", "compile"])
def test_a_package_does_not_hide_the_function_of_its_name(name):
    code = f"import gossamer.{name}.{name}, gossamer; print(callable(gossamer.{name}))"
    assert fresh(code) == "True"


def test_other_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="nosuchname"):
        _ = gossamer.nosuchname


def test_importing_gossamer_imports_nothing_heavy():
    loaded = fresh(f"import gossamer, sys; print([m for m in {HEAVY} if m in sys.modules])")
    assert loaded == "[]"


def test_importing_the_command_line_imports_nothing_heavy():
    loaded = fresh(
        f"import gossamer.cli.main, sys; print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert loaded == "[]"


RUN_A_FILE = """
import sys
import numpy as np
import gossamer
with gossamer.compile(gossamer.load(sys.argv[1])) as program:
    y = program(np.zeros((1, 1, 8, 8)))
print(y.shape, "torch" in sys.modules)
"""


def test_a_file_runs_without_torch(tmp_path):
    from gossamer.graph import Dense, Graph, Input, Node
    from gossamer.graph.ops import Conv2d

    weight = np.random.default_rng(0).standard_normal((2, 1, 3, 3)).astype(np.float32)
    graph = Graph(
        Input("x", (1, 1, 8, 8)),
        (Node("conv", Conv2d(), ("x",), {"weight": "w"}),),
        "conv",
        {"w": Dense(weight)},
    )
    path = gossamer.save(graph, tmp_path / "net.goss")
    assert fresh(RUN_A_FILE, path) == "(1, 2, 6, 6) False"


@pytest.mark.parametrize(
    "module",
    [
        "gossamer.codec.inspect",
        "gossamer.bench.benchmark",
        "gossamer.report.page",
        "gossamer.cli.run",
    ],
)
def test_the_running_half_imports_no_torch(module):
    importlib.import_module(module)
    assert fresh(f"import {module}, sys; print('torch' in sys.modules)") == "False"


BESIDE_NUMPY = ("torch", "llvmlite", "scipy", "typer", "rich", "matplotlib", "onnx", "PIL")


def test_importing_the_runtime_imports_numpy_only():
    """What makes programs is imported when one is made: it needs LLVM."""
    code = f"""
import sys
import gossamer.runtime.program
print([m for m in {(*BESIDE_NUMPY, "gossamer.compile", "gossamer.codec")} if m in sys.modules])
"""
    assert fresh(code) == "[]"
