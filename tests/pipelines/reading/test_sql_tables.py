"""The tables that a query names, and what is no query."""

import pytest

from conf.errors import UsageError
from pipelines.reading.sql_tables import find_tables

QUERIES = {
    "SELECT id FROM silver.orders o JOIN gold.sales USING (shop), ops.files;": "silver.orders gold.sales ops.files",
    "SELECT (SELECT max(n) FROM gold.a) FROM silver.b WHERE n IN (SELECT n FROM bronze.c)": "gold.a silver.b bronze.c",
    "WITH o AS (SELECT * FROM quarantine.orders) SELECT * FROM o UNION SELECT * FROM o": "quarantine.orders",
    "WITH silver AS (SELECT 1 AS n) SELECT * FROM silver": "",
    "FROM `silver`.`orders` VERSION AS OF 3 SELECT id": "silver.orders",
    "SELECT 'silver.secret' -- silver.hidden\nFROM gold.sales": "gold.sales",
    "SELECT * FROM nowhere.orders, delta.`/lake/silver/orders`": "nowhere.orders delta./lake/silver/orders",
    "WITH o AS (SELECT 1 AS n) SELECT * FROM o, p": ".p",
}
REFUSED = {
    "": "these are 0 statements",
    "SELECT 1; DROP TABLE silver.orders": "these are 2 statements",
    "SELECT id, FROM silver.orders WHERE": "this is not SQL: .* at line 1, column",
}
CHANGES = [
    "INSERT INTO silver.orders SELECT 1",
    "WITH o AS (SELECT 1) INSERT INTO silver.orders SELECT * FROM o",
    "WITH o AS (DELETE FROM silver.orders) SELECT * FROM o",
    "MERGE INTO silver.a USING silver.b ON a.id = b.id WHEN MATCHED THEN DELETE",
    "CREATE TABLE silver.new AS SELECT 1",
    "DROP TABLE silver.orders",
    "DESCRIBE silver.orders",
    "SET spark.sql.runSQLOnFiles = true",
]


@pytest.mark.parametrize(("sql", "tables"), QUERIES.items())
def test_a_query_names_its_tables(sql: str, tables: str) -> None:
    assert find_tables(sql, "spark") == {tuple(name.split(".")) for name in tables.split()}


def test_each_engine_has_a_dialect() -> None:
    assert find_tables('SELECT "id"::text FROM "silver"."orders"', "datafusion") == {("silver", "orders")}


@pytest.mark.parametrize(("sql", "message"), [*REFUSED.items(), *((sql, "only queries are") for sql in CHANGES)])
def test_only_one_query_is_answered(sql: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_tables(sql, "spark")
