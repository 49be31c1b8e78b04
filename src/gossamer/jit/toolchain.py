"""Text of LLVM IR in, addresses of machine code out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import llvmlite
import llvmlite.binding as llvm

from gossamer.errors import CompileError
from gossamer.jit.cache import digest, keep, recall
from gossamer.jit.target import Target, initialise_llvm

_PASSES = ("instruction_combine",)
"""Kernels are unrolled and vectorised as written: LLVM's whole pipeline takes twenty times as long
as this pass, and its code is not faster."""
_EFFORT = 2
"""LLVM's level for choosing instructions and registers, 0…3."""
_PIPELINE = 2
"""LLVM's level for its whole pipeline, where that is asked for."""


class Code:
    """Machine code in memory; it stays valid as long as this object lives.

    Args:
        engine: LLVM's execution engine that owns the code.
    """

    def __init__(self, engine: llvm.ExecutionEngine) -> None:
        self._engine = engine

    def address(self, name: str) -> int:
        """Return the address of a function; raises CompileError if there is none of that name."""
        address = self._engine.get_function_address(name)
        if not address:
            raise CompileError("no such function in the generated code", got=name)
        return address


def compile_ir(text: str, target: Target, *, whole_pipeline: bool = False) -> Code:
    """Compile a module of LLVM IR for `target`, or recall it, and load it into this process.

    Args:
        text: of the module.
        target: for which code is made.
        whole_pipeline: run all of LLVM's passes, which text translated from Python needs.

    Raises:
        CompileError: if LLVM does not accept the text (a bug of the generator).
    """
    binary = object_once((text,), lambda: text, target, whole_pipeline=whole_pipeline)
    return load_objects([binary], target)


def object_code(text: str, target: Target) -> bytes:
    """Compile a module of LLVM IR for `target`, or recall it; raises as `compile_ir` does."""
    return object_once((text,), lambda: text, target)


def object_once(
    names: tuple[str, ...],
    generate: Callable[[], str],
    target: Target,
    *,
    whole_pipeline: bool = False,
) -> bytes:
    """Do what `object_code` does, but generate the text only if it was not compiled before.

    Args:
        names: what the text is made from; equal names must mean equal text.
        generate: returns the text.
        target: for which code is made.
        whole_pipeline: run all of LLVM's passes.

    Returns:
        An object file, for `load_objects`.
    """
    passes = "all" if whole_pipeline else _PASSES
    key = digest(*names, repr((target, passes, _EFFORT, llvmlite.__version__, _llvm_version())))
    binary = recall(key)
    if binary is None:
        machine = target_machine(target)
        binary = machine.emit_object(_optimised(generate(), machine, whole_pipeline))
        keep(key, binary)
    return binary


def load_objects(binaries: Iterable[bytes], target: Target) -> Code:
    """Load object files into this process, together: one by one takes ten times as long."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(target))
    for binary in binaries:
        engine.add_object_file(llvm.ObjectFileRef.from_data(binary))
    engine.finalize_object()
    return Code(engine)


def assembly(text: str, target: Target) -> str:
    """Return the assembly that a module of LLVM IR becomes, for people."""
    machine = target_machine(target)
    return machine.emit_assembly(_optimised(text, machine))


def parse(text: str) -> llvm.ModuleRef:
    """Parse and verify IR."""
    try:
        module = llvm.parse_assembly(text)
        module.verify()
    except RuntimeError as error:
        raise CompileError(
            "LLVM does not accept the generated code", got=str(error).strip()
        ) from None
    return module


def target_machine(target: Target) -> llvm.TargetMachine:
    """Return LLVM's code generator for `target`."""
    initialise_llvm()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=_EFFORT, jit=True
    )


def _optimised(
    text: str, machine: llvm.TargetMachine, whole_pipeline: bool = False
) -> llvm.ModuleRef:
    module = parse(text)
    tuning = llvm.create_pipeline_tuning_options(speed_level=_PIPELINE)
    # Short loops stay loops, which become vectors; unrolled ones do not.
    tuning.loop_vectorization, tuning.loop_unrolling = whole_pipeline, not whole_pipeline
    builder = llvm.create_pass_builder(machine, tuning)
    if whole_pipeline:
        passes = builder.getModulePassManager()
    else:
        passes = llvm.create_new_module_pass_manager()
        for name in _PASSES:
            getattr(passes, f"add_{name}_pass")()
    passes.run(module, builder)
    return module


def _llvm_version() -> tuple[int, ...]:
    return tuple(llvm.llvm_version_info)
