"""Files as they go wrong in life, under one small contract, with what must come of each.

``CASES`` holds (name, content, status, good rows, raw texts of problem rows). A good row is (id, name, amount) as raw
text. Ids are not repeated, so that all files may land in one table. ``REASONS`` says what the verdict must mention.
``read_back`` admits a file of any format that is held in memory, and parses it.
"""

import gzip
import hashlib
import io
from typing import Any

from conf.contract import Contract
from pipelines.landing.admission import Admission, admit
from pipelines.landing.parse import bronze_schema, parse

Row = tuple[str, str, str]
Case = tuple[str, bytes, str, list[Row], list[str]]

HEADER = b"id,name,amount\n"
LONG = 10_000_000
_BOM = b"\xef\xbb\xbf"
_ZIPPED = gzip.compress(HEADER + b"900,zip,1\n", mtime=0)
_LANGUAGES = "\U0001f600 e\u0301 \u05e9\u05dc\u05d5\u05dd \u200b \u2028 \u0085 \ufeff \ufdd1"


def small_contract(
    file_format: str = "csv", raw: tuple[str, ...] = ("id", "name", "amount"), delimiter: str = ","
) -> Contract:
    """Return a contract whose raw columns are ``raw``."""
    return Contract.model_validate(
        {
            "name": "small",
            "landing": {"path": "small", "format": file_format, "delimiter": delimiter},
            "raw": raw,
            "columns": [{"name": "seen_at", "type": "timestamp", "expr": raw[0]}],
            "event_at": "seen_at",
        }
    )


def read_back(content: bytes, contract: Contract, name: str) -> tuple[Admission, list[dict[str, Any]]]:
    """Admit and parse; return the rows in the order of their numbers, which must be 1, 2, 3, …"""
    admission = admit(lambda: io.BytesIO(content), contract, name)
    assert admission.file_hash == hashlib.sha256(content).hexdigest()
    rows: list[dict[str, Any]] = []
    if admission.status != "failed":
        for batch in parse(lambda: io.BytesIO(content), contract, name, admission.file_hash):
            assert batch.schema == bronze_schema(contract)
            batch.validate(full=True)
            rows += batch.to_pylist()
    rows.sort(key=lambda row: row["_row_number"])
    assert [row["_row_number"] for row in rows] == list(range(1, admission.rows + 1))
    return admission, rows


CASES: list[Case] = [
    # shapes that are right
    ("plain.csv", HEADER + b"1,a,1.5\n2,b,\n", "ok", [("1", "a", "1.5"), ("2", "b", "")], []),
    ("no_last_line_end.csv", HEADER + b"3,a,1", "ok", [("3", "a", "1")], []),
    ("bom.csv", _BOM + HEADER + b"4,a,1\n", "ok", [("4", "a", "1")], []),
    ("crlf.csv", b"id,name,amount\r\n5,a,1\r\n6,b,2\r\n", "ok", [("5", "a", "1"), ("6", "b", "2")], []),
    ("cr.csv", b"id,name,amount\r7,a,1\r8,b,2", "ok", [("7", "a", "1"), ("8", "b", "2")], []),
    ("reordered.csv", b"amount,id,name\n1,9,a\n", "ok", [("9", "a", "1")], []),
    ("quoted_header.csv", b'"id","name","amount"\n10,a,1\n', "ok", [("10", "a", "1")], []),
    ("extra.csv", b"id,zone,name,amount\n11,eu,a,1\n", "ok", [("11", "a", "1")], []),
    ("quotes.csv", HEADER + b'12,"a ""b"",\r\nc\n",1\n', "ok", [("12", 'a "b",\r\nc\n', "1")], []),
    ("blank_lines.csv", b"\n\r\n" + HEADER + b"\n13,a,1\n\n\n14,b,2\n\n", "ok",
     [("13", "a", "1"), ("14", "b", "2")], []),
    ("bom_and_blank.csv", _BOM + b"\n" + HEADER + b"15,a,1\n", "ok", [("15", "a", "1")], []),
    ("blanks_kept.csv", HEADER + b"16, a ,  7 \n17,\t,\n", "ok", [("16", " a ", "  7 "), ("17", "\t", "")], []),
    ("formula.csv", HEADER + b"18,=cmd|' /C calc'!A0,-1\n19,@x,+1\n", "ok",
     [("18", "=cmd|' /C calc'!A0", "-1"), ("19", "@x", "+1")], []),
    ("languages.csv", HEADER + f"20,{_LANGUAGES},1\n".encode(), "ok", [("20", _LANGUAGES, "1")], []),
    ("numbers_kept.csv", HEADER + b'21,a,NaN\n22,b,1e400\n23,c,"1,234"\n24,d,-0.0\n', "ok",
     [("21", "a", "NaN"), ("22", "b", "1e400"), ("23", "c", "1,234"), ("24", "d", "-0.0")], []),
    ("nothing_in_a_row.csv", HEADER + b",,\n", "ok", [("", "", "")], []),
    ("quote_inside.csv", HEADER + b'25,6" pipe,1\n', "ok", [("25", '6" pipe', "1")], []),
    ("long_field.csv", HEADER + b'26,"' + b"x" * LONG + b'",1\n', "ok", [("26", "x" * LONG, "1")], []),
    ("many_columns.csv", b"id,name,amount," + b",".join(b"c%d" % i for i in range(5000)) + b"\n27,a,1" + b"," * 5000,
     "ok", [("27", "a", "1")], []),
    ("members.csv.gz", gzip.compress(HEADER, mtime=0) + gzip.compress(b"28,a,1\n", mtime=0) + b"\0\0", "ok",
     [("28", "a", "1")], []),
    # no rows
    ("header_only.csv", HEADER, "ok", [], []),
    ("header_without_line_end.csv", HEADER[:-1], "ok", [], []),
    ("zero_bytes.csv", b"", "empty", [], []),
    ("blank.csv", b"\n\r\n\r", "empty", [], []),
    ("only_bom.csv", _BOM, "empty", [], []),
    ("zero_bytes.csv.gz", gzip.compress(b"", mtime=0), "empty", [], []),
    # rows that go wrong
    ("ragged.csv", HEADER + b'30,a\n31,b,1\n32,"c\nd",2,3\n\n33\n', "ok", [("31", "b", "1")],
     ["30,a", '32,"c\nd",2,3', "33"]),
    ("nul.csv", HEADER + b'34,a\0,1\n35,b,2\n36,"c,\n\0",3\n37\0\n', "ok", [("35", "b", "2")],
     ["34,a\0,1", '36,"c,\n\0",3', "37\0"]),
    ("nul_and_noncharacter.csv", HEADER + "38,\ufdd1\0\ufdd11,1\n39,\ufdd10,\ufdd1\n".encode(), "ok",
     [("39", "\ufdd10", "\ufdd1")], ["38,\ufdd1\0\ufdd11,1"]),
    ("all_ragged.csv", HEADER + b"40;a;1\n41;b;2\n", "ok", [], ["40;a;1", "41;b;2"]),
    # files that go wrong
    ("cut.csv.gz", _ZIPPED[:-9], "failed", [], []),
    ("not_zipped.csv.gz", HEADER + b"50,a,1\n", "failed", [], []),
    ("zipped.csv", _ZIPPED, "failed", [], []),
    ("garbage_after.csv.gz", _ZIPPED + b"garbage", "failed", [], []),
    ("checksum.csv.gz", _ZIPPED[:-8] + b"\1\2\3\4" + _ZIPPED[-4:], "failed", [], []),
    ("bomb.csv.gz", gzip.compress(b"\n" * (1 << 20), mtime=0) * 80, "failed", [], []),
    ("utf16.csv", (HEADER + b"51,a,1\n").decode().encode("utf-16"), "failed", [], []),
    ("utf16_without_bom.csv", (HEADER + b"52,a,1\n").decode().encode("utf-16-le"), "failed", [], []),
    ("latin1.csv", HEADER + "53,café,1\n".encode("latin-1"), "failed", [], []),
    ("surrogate.csv", HEADER + b"54,a,1\n55,\xed\xa0\x80,1\n", "failed", [], []),
    ("cut_character.csv", HEADER + b"56,a,\xc3", "failed", [], []),
    ("semicolon.csv", b"id;name;amount\n57;a;1\n", "failed", [], []),
    ("tab.csv", b"id\tname\tamount\n58\ta\t1\n", "failed", [], []),
    ("other_case.csv", b"Id,name,amount\n59,a,1\n", "failed", [], []),
    ("padded_header.csv", b"id, name,amount\n60,a,1\n", "failed", [], []),
    ("repeated.csv", b"id,name,amount,id\n61,a,1,61\n", "failed", [], []),
    ("missing.csv", b"id,name\n62,a\n", "failed", [], []),
    ("no_header.csv", b"63,a,1\n64,b,2\n", "failed", [], []),
    ("unclosed.csv", HEADER + b'65,a,1\n66,"b,1\n67,c,1\n', "failed", [], []),
    ("closed_later.csv", HEADER + b'68,"a,1\n69,b,1\n70,c",1\n71,"d",1\n72,"e,1\n73,"f",1\n', "failed", [], []),
    ("text_after_quote.csv", HEADER + b'74,"a"b,1\n', "failed", [], []),
    ("too_long_field.csv", HEADER + b'75,"' + (b"x" * 1023 + b"\n") * (17 << 10) + b'",1\n', "failed", [], []),
    ("too_long_line.csv", HEADER + b"76," + b"x" * (17 << 20) + b",1\n", "failed", [], []),
]  # fmt: skip

REASONS = {
    "zero_bytes.csv": "no bytes", "blank.csv": "only blank lines", "only_bom.csv": "only blank lines",
    "zero_bytes.csv.gz": "no bytes",
    "cut.csv.gz": "cut short", "not_zipped.csv.gz": "not gzip in spite of its name", "zipped.csv": "must end with .gz",
    "garbage_after.csv.gz": "not whole gzip", "checksum.csv.gz": "CRC", "bomb.csv.gz": "gzip bomb",
    "utf16.csv": "byte 0xff at offset 0 .line 1. is not UTF-8; the content is UTF-16",
    "utf16_without_bom.csv": r"missing column 'id'.*x00",
    "latin1.csv": "byte 0xe9 at offset 21 .line 2. is not UTF-8", "surrogate.csv": r"offset 25 .line 3. is not UTF-8",
    "cut_character.csv": "byte 0xc3 at offset 20", "semicolon.csv": "delimiter ';'", "tab.csv": r"delimiter '\\t'",
    "other_case.csv": "missing column 'id'; 'Id' differs only in case",
    "padded_header.csv": "only in case or blanks",
    "repeated.csv": "'id' stands twice", "missing.csv": "missing column 'amount'; the file has: 'id', 'name'",
    "no_header.csv": "missing column 'id', 'name', 'amount'; the file has: '63', 'a', '1'",
    "unclosed.csv": "begins at line 3 is not CSV", "closed_later.csv": "begins at line 6 is not CSV",
    "text_after_quote.csv": "begins at line 2 is not CSV",
    "too_long_field.csv": "begins at line 2 is longer than 16 MiB", "too_long_line.csv": "line 2 is longer than 16 MiB",
}  # fmt: skip
