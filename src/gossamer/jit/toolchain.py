"""Text of LLVM IR in, addresses of machine code out."""

from __future__ import annotations

import llvmlite.binding as llvm

from gossamer.errors import CompileError
from gossamer.jit.target import Target, initialise_llvm


class Code:
    """Machine code in memory; it stays valid as long as this object lives.

    Args:
        engine: LLVM's execution engine that owns the code.
        assembly: the generated assembly, for people.
    """

    def __init__(self, engine: llvm.ExecutionEngine, assembly: str) -> None:
        self._engine = engine
        self.assembly = assembly

    def address(self, name: str) -> int:
        """Return the address of a function; raises CompileError if there is none of that name."""
        address = self._engine.get_function_address(name)
        if not address:
            raise CompileError("no such function in the generated code", got=name)
        return address


def compile_ir(text: str, target: Target, *, with_assembly: bool = False) -> Code:
    """Compile a module of LLVM IR for `target` and load it into this process.

    Raises:
        CompileError: if LLVM does not accept the text (a bug of the generator).
    """
    initialise_llvm()
    module = parse(text)
    machine = target_machine(target)
    optimise(module, machine)
    assembly = machine.emit_assembly(module) if with_assembly else ""
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return Code(engine, assembly)


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
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=2, jit=True
    )


def optimise(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> None:
    """Run LLVM's standard optimisations; the kernels are vectorised and unrolled as written."""
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
