"""The tables that a SQL query names, found without running it. Text that is anything but one query is refused."""

from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from conf.errors import UsageError

# sqlglot does not know DataFusion, whose SQL is that of Postgres in all that matters for finding tables.
DIALECTS = {"datafusion": "postgres", "spark": "spark"}


def find_tables(sql: str, engine: Literal["datafusion", "spark"]) -> set[tuple[str, str]]:
    """Return the tables that a query reads, as (layer, name); the layer is '' where the query names none.

    Raises
    ------
    UsageError : when the text is not SQL, is more than one statement, or is anything but a query
    """
    try:
        statements = [statement for statement in sqlglot.parse(sql, read=DIALECTS[engine]) if statement is not None]
    except SqlglotError as error:
        reason = _first_reason(error)
        raise UsageError(f"this is not SQL: {reason}", "write one SELECT over tables named layer.table") from None
    if len(statements) != 1:
        raise UsageError(f"these are {len(statements)} statements", "write one SELECT")
    (query,) = statements
    if not isinstance(query, exp.Query) or query.find(exp.DML, exp.DDL, exp.Command, exp.Into):
        raise UsageError("only queries are answered here; nothing is changed or described", "write a SELECT")
    ctes = {cte.alias for cte in query.find_all(exp.CTE)}
    tables = [table for table in query.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
    return {(table.db, table.name) for table in tables if table.db or table.name not in ctes}


def _first_reason(error: SqlglotError) -> str:
    """Return the first thing that sqlglot found wrong, and where. Its own text holds marks for a terminal."""
    for found in getattr(error, "errors", []):
        return f"{found['description']} at line {found['line']}, column {found['col']}"
    return str(error).strip().splitlines()[0]
