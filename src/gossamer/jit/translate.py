"""A small part of Python → LLVM IR, for loops whose plain Python is their own slow reference.

What is understood: functions of integers and arrays, with every parameter annotated as `Int` or as
an array (`U8`, `U16`, `I16`, `U32`, `I32`, `I64`) and integers as results; assignments to names and
entries; `if`, `while`, `for … in range(…)`, `break`, `continue`, `return`; arithmetic, shifts, bit
operations, comparisons, `and`, `or`, `not`, `x if c else y`; `abs`, `min`, `max`, `.bit_length()`;
integer constants of the module; calls of other such functions. Every integer is of 64 bits and
wraps where Python's would grow; entries are cut to the width of their array where Python's would
refuse. Arrays that a function is given do not overlap.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from gossamer.errors import CompileError

_BOOL, _INT64, _POINTER = ir.IntType(1), ir.IntType(64), ir.PointerType()
_ARRAYS = {
    "U8": (ir.IntType(8), False),
    "U16": (ir.IntType(16), False),
    "I16": (ir.IntType(16), True),
    "U32": (ir.IntType(32), False),
    "I32": (ir.IntType(32), True),
    "I64": (_INT64, True),
}
_OPERATORS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.LShift: "shl",
    ast.RShift: "ashr",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
}
_COMPARISONS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
Value = Any


def translate(function: Callable[..., Any]) -> str:
    """Return the IR of a module with a function and all that it calls, under their own names.

    Raises:
        CompileError: for what is not understood, with the line.

    Examples:
        >>> def twice(x: "Int") -> "Int":
        ...     return 2 * x
        >>> "define i64" in translate(twice)
        True
    """
    module = ir.Module()
    _declare(function, module, entry=True)
    return str(module)


def parameters(function: Callable[..., Any]) -> list[str]:
    """Return the annotation of each parameter: `Int` or the name of an array.

    Raises:
        CompileError: if one has another.
    """
    arguments = _definition(function).args.args
    found = [ast.unparse(a.annotation).strip("'") if a.annotation else "" for a in arguments]
    for name in found:
        if name != "Int" and name not in _ARRAYS:
            raise CompileError("not a type of a parameter", where=function.__name__, got=name)
    return found


def _definition(function: Callable[..., Any]) -> ast.FunctionDef:
    """Return the source of a function, taken apart."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree


def _declare(function: Callable[..., Any], module: ir.Module, entry: bool = False) -> ir.Function:
    """Return the function in the module, translated on first use."""
    known = module.globals.get(function.__name__)
    if known is not None:
        if known.source is not function:
            raise CompileError("two functions of one name", got=function.__name__)
        return known
    types = [_INT64 if name == "Int" else _POINTER for name in parameters(function)]
    made = ir.Function(module, ir.FunctionType(_INT64, types), function.__name__)
    made.linkage = "" if entry else "internal"
    made.attributes.add("nounwind")
    made.source = function  # pyright: ignore[reportAttributeAccessIssue]
    for argument in made.args:
        if argument.type == _POINTER:
            argument.add_attribute("noalias")
    _Body(function, module, made)
    return made


class _Body:
    """Translates the body of one function."""

    def __init__(self, function: Callable[..., Any], module: ir.Module, made: ir.Function) -> None:
        self.function, self.module, self.made = function, module, made
        self.entry = made.append_basic_block("entry")
        self.builder = ir.IRBuilder(made.append_basic_block("body"))
        self.places: dict[str, Value] = {}
        self.arrays: dict[str, tuple[Value, ir.Type, bool]] = {}
        self.loops: list[tuple[ir.Block, ir.Block]] = []
        tree = _definition(function)
        for name, kind, argument in zip(
            inspect.signature(function).parameters, parameters(function), made.args, strict=True
        ):
            if kind == "Int":
                self.builder.store(argument, self.place(name))
            else:
                self.arrays[name] = (argument, *_ARRAYS[kind])
        self.block(tree.body)
        if not self.terminated:
            self.builder.ret(_INT64(0))
        ir.IRBuilder(self.entry).branch(made.basic_blocks[1])

    def refuse(self, node: ast.AST) -> CompileError:
        where = f"{self.function.__name__}, line {getattr(node, 'lineno', '?')}"
        return CompileError(
            "this part of Python is not translated", where=where, got=type(node).__name__
        )

    @property
    def terminated(self) -> bool:
        """Whether nothing can follow in the present block."""
        return self.here.is_terminated

    @property
    def here(self) -> ir.Block:
        """The block that is being written."""
        assert self.builder.block is not None
        return self.builder.block

    def place(self, name: str) -> Value:
        """Return where a local integer lies."""
        if name not in self.places:
            builder = ir.IRBuilder(self.entry)
            self.places[name] = builder.alloca(_INT64)
            builder.store(_INT64(0), self.places[name])
        return self.places[name]

    # ── statements ────────────────────────────────────────────────────────────────────────────
    def block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if self.terminated:
                return
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(ast.Constant(str())) | ast.Pass():
                pass
            case ast.Expr(value):
                self.value(value)
            case ast.Assign([target], value) | ast.AnnAssign(target, _, ast.expr() as value):
                self.assign(target, self.value(value))
            case ast.AugAssign(target, operator, value):
                read = ast.parse(ast.unparse(target), mode="eval").body
                self.assign(
                    target, self.operate(node, operator, self.value(read), self.value(value))
                )
            case ast.If(test, body, orelse):
                self.branch(test, lambda: self.block(body), lambda: self.block(orelse))
            case ast.While(test, body, []):
                self.repeat(lambda: self.condition(test), body, lambda: None)
            case ast.For(ast.Name(name), ast.Call(ast.Name("range"), ends), body, []):
                self.count(name, ends, body)
            case ast.Break():
                self.builder.branch(self.loops[-1][0])
            case ast.Continue():
                self.builder.branch(self.loops[-1][1])
            case ast.Return(value):
                self.builder.ret(_INT64(0) if value is None else self.value(value))
            case _:
                raise self.refuse(node)

    def assign(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name(name) if name not in self.arrays:
                self.builder.store(value, self.place(name))
            case ast.Subscript(ast.Name(name), index):
                _, kind, _ = self.arrays[name]
                pointer = self.address(name, index)
                value = value if kind == _INT64 else self.builder.trunc(value, kind)
                self.builder.store(value, pointer)
            case _:
                raise self.refuse(target)

    def branch(self, test: ast.expr, then: Callable[[], None], other: Callable[[], None]) -> None:
        yes, no, after = (self.made.append_basic_block(n) for n in ("then", "else", "after"))
        self.builder.cbranch(self.condition(test), yes, no)
        for block, body in ((yes, then), (no, other)):
            self.builder.position_at_end(block)
            body()
            if not self.terminated:
                self.builder.branch(after)
        self.builder.position_at_end(after)

    def repeat(
        self, test: Callable[[], Value], body: list[ast.stmt], step: Callable[[], None]
    ) -> None:
        head, inside, again, after = (
            self.made.append_basic_block(n) for n in ("head", "inside", "again", "after")
        )
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(test(), inside, after)
        self.builder.position_at_end(inside)
        self.loops.append((after, again))
        self.block(body)
        self.loops.pop()
        if not self.terminated:
            self.builder.branch(again)
        self.builder.position_at_end(again)
        step()
        self.builder.branch(head)
        self.builder.position_at_end(after)

    def count(self, name: str, ends: list[ast.expr], body: list[ast.stmt]) -> None:
        values = [self.value(end) for end in ends]
        start, stop = (_INT64(0), values[0]) if len(values) == 1 else values[:2]
        step = 1 if len(ends) < 3 else ast.literal_eval(ends[2])
        counter = ir.IRBuilder(self.entry).alloca(_INT64)
        b = self.builder
        b.store(start, counter)

        def test() -> Value:
            now, before = b.load(counter, typ=_INT64), b.load(self.place(name), typ=_INT64)
            more = b.icmp_signed("<" if step > 0 else ">", now, stop)
            b.store(b.select(more, now, before), self.place(name))
            return more

        def advance() -> None:
            b.store(b.add(b.load(counter, typ=_INT64), _INT64(step)), counter)

        self.repeat(test, body, advance)

    # ── expressions ───────────────────────────────────────────────────────────────────────────
    def address(self, name: str, index: ast.expr) -> Value:
        pointer, kind, _ = self.arrays[name]
        return self.builder.gep(pointer, [self.value(index)], source_etype=kind)

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(bool() | int() as value):
                return _INT64(int(value))
            case ast.Name(name) if name in self.places:
                return self.builder.load(self.places[name], typ=_INT64)
            case ast.Name(name) if type(self.function.__globals__.get(name)) is int:
                return _INT64(self.function.__globals__[name])
            case ast.Subscript(ast.Name(name), index) if name in self.arrays:
                _, kind, signed = self.arrays[name]
                loaded = self.builder.load(self.address(name, index), typ=kind)
                if kind == _INT64:
                    return loaded
                return (self.builder.sext if signed else self.builder.zext)(loaded, _INT64)
            case ast.BinOp(left, operator, right):
                return self.operate(node, operator, self.value(left), self.value(right))
            case ast.UnaryOp(ast.USub(), value):
                return self.builder.neg(self.value(value))
            case ast.UnaryOp(ast.Invert(), value):
                return self.builder.not_(self.value(value))
            case ast.IfExp(test, body, orelse):
                return self.either(test, lambda: self.value(body), lambda: self.value(orelse))
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(ast.Not()):
                return self.builder.zext(self.condition(node), _INT64)
            case ast.Call(ast.Attribute(value, "bit_length"), []):
                zeros = self.builder.ctlz(self.value(value), _BOOL(0))
                return self.builder.sub(_INT64(64), zeros)
            case ast.Call(ast.Name(name), arguments):
                return self.call(node, name, arguments)
        raise self.refuse(node)

    def operate(self, node: ast.AST, operator: ast.operator, a: Value, b: Value) -> Value:
        builder = self.builder
        if type(operator) in _OPERATORS:
            return getattr(builder, _OPERATORS[type(operator)])(a, b)
        if isinstance(operator, (ast.FloorDiv, ast.Mod)):
            rest = builder.srem(a, b)
            wrong = builder.and_(
                builder.icmp_signed("!=", rest, _INT64(0)),
                builder.icmp_signed("<", builder.xor(rest, b), _INT64(0)),
            )
            if isinstance(operator, ast.Mod):
                return builder.add(rest, builder.select(wrong, b, _INT64(0)))
            return builder.sub(builder.sdiv(a, b), builder.zext(wrong, _INT64))
        raise self.refuse(node)

    def condition(self, node: ast.expr) -> Value:
        match node:
            case ast.Compare(left, [operator], [right]) if type(operator) in _COMPARISONS:
                return self.builder.icmp_signed(
                    _COMPARISONS[type(operator)], self.value(left), self.value(right)
                )
            case ast.UnaryOp(ast.Not(), value):
                return self.builder.not_(self.condition(value))
            case ast.BoolOp(operator, [first, *rest]):
                others = rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)
                if isinstance(operator, ast.And):
                    return self.either(first, lambda: self.condition(others), lambda: _BOOL(0))
                return self.either(first, lambda: _BOOL(1), lambda: self.condition(others))
        return self.builder.icmp_signed("!=", self.value(node), _INT64(0))

    def either(
        self, test: ast.expr, then: Callable[[], Value], other: Callable[[], Value]
    ) -> Value:
        """Return one of two values, computing only that one."""
        found: list[tuple[Value, ir.Block]] = []

        def keep(value: Callable[[], Value]) -> Callable[[], None]:
            return lambda: found.append((value(), self.here))

        self.branch(test, keep(then), keep(other))
        chosen = self.builder.phi(found[0][0].type)
        for value, block in found:
            chosen.add_incoming(value, block)
        return chosen

    def call(self, node: ast.Call, name: str, arguments: list[ast.expr]) -> Value:
        b = self.builder
        if name in ("abs", "min", "max"):
            values = [self.value(argument) for argument in arguments]
            if name == "abs" and len(values) == 1:
                (a,) = values
                return b.select(b.icmp_signed("<", a, _INT64(0)), b.neg(a), a)
            if name != "abs" and len(values) == 2:
                sign = "<" if name == "min" else ">"
                return b.select(b.icmp_signed(sign, *values), *values)
        called = self.function.__globals__.get(name)
        if not inspect.isfunction(called):
            raise self.refuse(node)
        return b.call(_declare(called, self.module), [self.argument(a) for a in arguments])

    def argument(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Name) and node.id in self.arrays:
            return self.arrays[node.id][0]
        return self.value(node)
