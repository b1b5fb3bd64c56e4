"""The hash of each row of a training set, computed in this process. ``spark.row_hash`` gives the same numbers.

It is Spark's ``xxhash64`` over 64-bit numbers: each number is hashed with the hash of those before it as the seed.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from xxhash import xxh64_intdigest

from training.dataset.columns import LABEL_KNOWN_AT, ROW_HASH

Hashes = NDArray[np.uint64]
SPARK_SEED = 42
_PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
_P1, _P2, _P3, _P4, _P5 = (np.uint64(prime) for prime in _PRIMES)


def add_row_hash(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``_row_hash``. It also covers which values are NULL: (1, NULL) is not (NULL, 1)."""
    hashes = np.full(rows.height, SPARK_SEED, np.uint64)
    for column in rows.drop(LABEL_KNOWN_AT):
        hashes = _hash_numbers(column.is_null().cast(pl.Int64).to_numpy().view(np.uint64), hashes)
        hashes = _hash_numbers(_numbers(column), hashes)
    return rows.with_columns(pl.Series(ROW_HASH, hashes.view(np.int64)))


def _numbers(column: pl.Series) -> Hashes:
    """Return one 64-bit number for each value; 0 for NULL."""
    kind = column.dtype
    if isinstance(kind, pl.String | pl.Decimal):
        return _text_hashes(column if isinstance(kind, pl.String) else _decimal_texts(column))
    if isinstance(kind, pl.Float32 | pl.Float64):
        values = column.cast(pl.Float64).fill_null(0.0).to_numpy() + 0.0  # Spark takes -0.0 for 0.0
        return np.where(np.isnan(values), np.nan, values).view(np.uint64)
    number = column.dt.epoch("us") if isinstance(kind, pl.Datetime) else column
    return (
        number.cast(pl.Int32 if isinstance(kind, pl.Date) else pl.Int64)
        .cast(pl.Int64)
        .fill_null(0)
        .to_numpy()
        .view(np.uint64)
    )


def _text_hashes(texts: pl.Series) -> Hashes:
    different = texts.unique()
    by_text = {text: 0 if text is None else xxh64_intdigest(text.encode(), SPARK_SEED) for text in different}
    hashed = texts.replace_strict(list(by_text), list(by_text.values()), return_dtype=pl.UInt64)
    return hashed.to_numpy()


def _decimal_texts(decimals: pl.Series) -> pl.Series:
    return pl.Series([None if value is None else f"{value:f}" for value in decimals], dtype=pl.String)


def _hash_numbers(numbers: Hashes, seeds: Hashes) -> Hashes:
    """Hash 64-bit numbers, each with its seed, as XXH64 hashes eight bytes."""
    hashes = seeds + _P5 + np.uint64(8)
    hashes ^= _rotate(numbers * _P2, 31) * _P1
    hashes = _rotate(hashes, 27) * _P1 + _P4
    hashes = (hashes ^ (hashes >> np.uint64(33))) * _P2
    hashes = (hashes ^ (hashes >> np.uint64(29))) * _P3
    return hashes ^ (hashes >> np.uint64(32))


def _rotate(numbers: Hashes, bits: int) -> Hashes:
    return (numbers << np.uint64(bits)) | (numbers >> np.uint64(64 - bits))
