"""What is done to code to make a mutant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

COMPARISONS: Mapping[type[ast.cmpop], Sequence[type[ast.cmpop]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAME_LIKE = re.compile(r"[\w./:-]*")
"""Strings that a program reads; those with spaces are for people."""

Change = tuple[str, ast.AST, str]
"""The operator, the node that it replaces, and the text in its place."""


def changes(node: ast.AST) -> Iterator[Change]:
    """Yield what may be done to a node, not to those inside it."""
    if isinstance(node, ast.stmt):
        yield from _statement_changes(node)
    else:
        yield from _expression_changes(node)
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield from _condition_changes(node.test, is_loop=isinstance(node, ast.While))


def _expression_changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[op]):
            for swapped in COMPARISONS[type(op)]:
                yield "comparison", node, _text(ast.Compare(node.left, [swapped()], node.comparators))
        case ast.BoolOp(op=op):
            yield "and/or", node, _text(ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), node.values))
        case ast.BinOp(op=op) if type(op) in ARITHMETIC and not (_is_no_number(node.left) or _is_no_number(node.right)):
            yield "arithmetic", node, _text(ast.BinOp(node.left, ARITHMETIC[type(op)](), node.right))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not", node, _text(operand)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield "arithmetic", node, _text(operand)
        case ast.Constant(value=value):
            yield from (("constant", node, repr(other)) for other in _other_constants(value))


def _statement_changes(node: ast.stmt) -> Iterator[Change]:
    match node:
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "return None", value, "None"
        case ast.AugAssign(op=op) if type(op) in ARITHMETIC:
            yield "arithmetic", node, ast.unparse(ast.AugAssign(node.target, ARITHMETIC[type(op)](), node.value))
            yield "statement", node, "pass"
        case ast.Break():
            yield "break/continue", node, "continue"
        case ast.Continue():
            yield "break/continue", node, "break"
        case _ if _is_removable(node):
            yield "statement", node, "pass"


def _condition_changes(test: ast.expr, *, is_loop: bool) -> Iterator[Change]:
    if any(isinstance(each, ast.NamedExpr) for each in ast.walk(test)):
        return
    yield "condition", test, "False"
    if not is_loop:
        yield "condition", test, "True"
    if not isinstance(test, ast.UnaryOp | ast.Compare):
        # Those are negated by operators of their own.
        yield "not", test, f"(not {_text(test)})"


def _other_constants(value: object) -> Iterator[object]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1 if abs(value) <= 2 else value * 2
    elif isinstance(value, str) and NAME_LIKE.fullmatch(value):
        yield f"{value}x"


def _is_removable(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Delete() | ast.Raise():
            return True
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return True
    return False


def _is_no_number(node: ast.expr) -> bool:
    """Return whether it is a string to join, or a type in a union."""
    match node:
        case ast.JoinedStr() | ast.Constant(value=str() | None):
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name[0].isupper() and not name.isupper()
    return False


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _text(node: ast.expr) -> str:
    return f"({ast.unparse(ast.fix_missing_locations(node))})"
