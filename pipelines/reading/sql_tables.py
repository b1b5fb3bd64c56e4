"""The tables that a SQL query names, found without Spark. Text that is not a query is refused."""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from conf.errors import UsageError
from pipelines.delta.layers import LAYERS


def find_tables(sql: str) -> set[tuple[str, str]]:
    """Return the tables of the lake that a query names, as (layer, name).

    Raises
    ------
    UsageError : when the text is not SQL, is more than one statement, or is anything but a query
    """
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="spark") if statement is not None]
    except SqlglotError as error:
        reason, errors = str(error).strip().partition("\n")[0], getattr(error, "errors", [])
        if errors:  # the text above holds marks for a terminal, these do not
            reason = f"{errors[0]['description']} at line {errors[0]['line']}, column {errors[0]['col']}"
        raise UsageError(f"this is not SQL: {reason}", "write one SELECT over tables named layer.table") from None
    if len(statements) != 1:
        raise UsageError(f"these are {len(statements)} statements", "write one SELECT")
    (query,) = statements
    if not isinstance(query, exp.Query) or query.find(exp.DML, exp.DDL, exp.Command):
        raise UsageError("only queries are answered here; nothing is changed or described", "write a SELECT")
    tables = {(table.db, table.name) for table in query.find_all(exp.Table) if not table.catalog}
    return {(layer, name) for layer, name in tables if layer in LAYERS}
