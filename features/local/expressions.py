"""Spark SQL expressions as Polars expressions, for the part of the language that means the same in both.

Only what is listed here is translated, and only for types with which it gives what Spark gives, for every value.
Anything else is ``NotLocal``: then Spark evaluates the expression.

Not listed on purpose: sums and products of integers, which raise an error in Spark when they overflow; division;
casts that can fail; intervals of calendar months.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import and_, or_

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from features.local.dates import DAYS, cast_node, clock_in_zone, day_of, move, part
from features.local.values import INSTANT, INTEGERS, NotLocal, Value, refuse

Columns = Mapping[str, tuple[str, pl.DataType]]
BOOLEAN = pl.Boolean()


def translate(text: str, columns: Mapping[str, pl.DataType]) -> Value:
    """Translate one Spark SQL expression over columns of these types.

    Raises
    ------
    NotLocal : when Polars is not known to give what Spark gives
    """
    try:
        tree = sqlglot.parse_one(text, dialect="spark")
    except SqlglotError as error:
        raise NotLocal(f"{text!r} is not understood: {error}") from None
    return _translate(tree, {name.lower(): (name, kind) for name, kind in columns.items()})


def _translate(node: exp.Expr, columns: Columns) -> Value:
    if isinstance(node, exp.Anonymous) and len(node.expressions) == 1:
        make_called = _FUNCTIONS.get(node.name.lower())
        if make_called is not None:
            return make_called(node, _translate(node.expressions[0], columns))
    if type(node) in _OF_ONE_VALUE:
        return _OF_ONE_VALUE[type(node)](node, _translate(node.this, columns))
    if type(node) not in _NODES:
        raise refuse(node)
    return _NODES[type(node)](node, columns)


def _column(node: exp.Expr, columns: Columns) -> Value:
    if node.args.get("table") is not None or node.name.lower() not in columns:
        raise NotLocal(f"{node.sql(dialect='spark')} is not a column of the table")
    name, kind = columns[node.name.lower()]
    return Value(pl.col(name), kind)


def _literal(node: exp.Expr, _: Columns) -> Value:
    if node.is_string and "\\" not in node.name:
        return Value(pl.lit(node.name), pl.String())
    if node.is_string or not node.name.isdecimal() or int(node.name) >= 2**31:
        raise refuse(node)
    return Value(pl.lit(int(node.name), pl.Int32), pl.Int32())


def _negative(node: exp.Expr, columns: Columns) -> Value:
    if not isinstance(node.this, exp.Literal) or node.this.is_string:
        raise refuse(node)
    number = _literal(node.this, columns)
    return Value(-number.expr, number.kind)


def _comparable(node: exp.Expr, left: Value, right: Value) -> tuple[pl.Expr, pl.Expr]:
    """Bring two values to one type, as Spark does before it compares them. No double is made of a bigint."""
    if left.kind == right.kind:
        return left.expr, right.expr
    if left.kind in INTEGERS and right.kind in INTEGERS:
        return left.expr.cast(pl.Int64), right.expr.cast(pl.Int64)
    if {left.kind, right.kind} == {pl.Int32(), pl.Float64()}:
        return left.expr.cast(pl.Float64), right.expr.cast(pl.Float64)
    raise refuse(node, left.kind, right.kind)


def _comparison(compare: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Callable[[exp.Expr, Columns], Value]:
    def make(node: exp.Expr, columns: Columns) -> Value:
        left, right = _translate(node.this, columns), _translate(node.expression, columns)
        return Value(compare(*_comparable(node, left, right)), BOOLEAN)

    return make


def _truth(node: exp.Expr, columns: Columns) -> pl.Expr:
    value = _translate(node, columns)
    if value.kind != BOOLEAN:
        raise refuse(node, value.kind)
    return value.expr


def _junction(join: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Callable[[exp.Expr, Columns], Value]:
    return lambda node, columns: Value(join(_truth(node.this, columns), _truth(node.expression, columns)), BOOLEAN)


def _is(node: exp.Expr, columns: Columns) -> Value:
    if not isinstance(node.expression, exp.Null):
        raise refuse(node)
    return Value(_translate(node.this, columns).expr.is_null(), BOOLEAN)


def _in(node: exp.Expr, columns: Columns) -> Value:
    value = _translate(node.this, columns)
    if not node.expressions:
        raise refuse(node)
    pairs = [_comparable(node, value, _translate(item, columns)) for item in node.expressions]
    return Value(reduce(or_, (left == right for left, right in pairs)), BOOLEAN)


def _between(node: exp.Expr, columns: Columns) -> Value:
    value = _translate(node.this, columns)
    above, low = _comparable(node, value, _translate(node.args["low"], columns))
    below, high = _comparable(node, value, _translate(node.args["high"], columns))
    return Value((above >= low) & (below <= high), BOOLEAN)


def _case(node: exp.Expr, columns: Columns) -> Value:
    """Translate CASE WHEN and if(…). The branches must have one type; without ELSE the rest is NULL."""
    is_case = isinstance(node, exp.Case)
    if is_case and node.this is not None:
        raise refuse(node)
    branches = node.args["ifs"] if is_case else [node]
    values = [(_truth(branch.this, columns), _translate(branch.args["true"], columns)) for branch in branches]
    otherwise = node.args.get("default" if is_case else "false")
    rest = None if otherwise is None or isinstance(otherwise, exp.Null) else _translate(otherwise, columns)
    kinds = {value.kind for _, value in values} | ({rest.kind} if rest else set())
    if len(kinds) > 1:
        raise refuse(node, *kinds)
    (kind,) = kinds
    result = rest.expr if rest else pl.lit(None, kind)
    for condition, value in reversed(values):
        result = pl.when(condition).then(value.expr).otherwise(result)
    return Value(result, kind)


def _coalesce(node: exp.Expr, columns: Columns) -> Value:
    values = [_translate(item, columns) for item in (node.this, *node.expressions)]
    if len({value.kind for value in values}) > 1:
        raise refuse(node, *(value.kind for value in values))
    return Value(pl.coalesce(value.expr for value in values), values[0].kind)


def _sum(node: exp.Expr, columns: Columns) -> Value:
    """Translate an instant plus or minus an interval, and sums and differences of doubles."""
    is_minus = isinstance(node, exp.Sub)
    left, right = node.this, node.expression
    if isinstance(left, exp.Interval) and not is_minus:
        left, right = right, left
    first = _translate(left, columns)
    if isinstance(right, exp.Interval):
        return move(node, first, right, is_minus)
    second = _translate(right, columns)
    if (first.kind, second.kind) != (pl.Float64(), pl.Float64()):
        raise refuse(node, first.kind, second.kind)
    return Value(first.expr - second.expr if is_minus else first.expr + second.expr, pl.Float64())


_FUNCTIONS: dict[str, Callable[[exp.Expr, Value], Value]] = {
    "weekday": part(lambda day: day.dt.weekday() - 1, *DAYS),
    "isnull": lambda _, value: Value(value.expr.is_null(), BOOLEAN),
    "isnotnull": lambda _, value: Value(value.expr.is_not_null(), BOOLEAN),
}
_OF_ONE_VALUE: dict[type[exp.Expr], Callable[[exp.Expr, Value], Value]] = {
    exp.Paren: lambda _, value: value,
    exp.Cast: cast_node,
    exp.TryCast: cast_node,
    exp.TsOrDsToDate: day_of,
    exp.AtTimeZone: clock_in_zone,
    exp.Year: part(lambda day: day.dt.year(), *DAYS),
    exp.Quarter: part(lambda day: day.dt.quarter(), *DAYS),
    exp.Month: part(lambda day: day.dt.month(), *DAYS),
    exp.DayOfMonth: part(lambda day: day.dt.day(), *DAYS),
    exp.Day: part(lambda day: day.dt.day(), *DAYS),
    exp.DayOfYear: part(lambda day: day.dt.ordinal_day(), *DAYS),
    exp.DayOfWeek: part(lambda day: day.dt.weekday() % 7 + 1, *DAYS),
    exp.Hour: part(lambda at: at.dt.hour(), INSTANT),
    exp.Minute: part(lambda at: at.dt.minute(), INSTANT),
    exp.Second: part(lambda at: at.dt.second(), INSTANT),
}
_NODES: dict[type[exp.Expr], Callable[[exp.Expr, Columns], Value]] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Neg: _negative,
    exp.Boolean: lambda node, _: Value(pl.lit(bool(node.this)), BOOLEAN),
    exp.EQ: _comparison(pl.Expr.eq),
    exp.NEQ: _comparison(pl.Expr.ne),
    exp.LT: _comparison(pl.Expr.lt),
    exp.LTE: _comparison(pl.Expr.le),
    exp.GT: _comparison(pl.Expr.gt),
    exp.GTE: _comparison(pl.Expr.ge),
    exp.NullSafeEQ: _comparison(pl.Expr.eq_missing),
    exp.And: _junction(and_),
    exp.Or: _junction(or_),
    exp.Not: lambda node, columns: Value(~_truth(node.this, columns), BOOLEAN),
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    exp.Case: _case,
    exp.If: _case,
    exp.Coalesce: _coalesce,
    exp.Add: _sum,
    exp.Sub: _sum,
}
