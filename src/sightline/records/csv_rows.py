"""Rows of a CSV file with a header, read strictly."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from sightline.errors import InputError


def csv_rows(
    path: Path, wanted: Sequence[str], columns: Collection[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row's line number and its cells by column, stripped; empty rows are passed over.

    Args:
        path: The file, in UTF-8.
        wanted: Columns that must be there.
        columns: All columns there may be.

    Raises:
        InputError: The file is missing, is not CSV in UTF-8, has an unknown, double or missing
            column, or a row of another length.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(path, header, wanted, columns)
            for cells in reader:
                values = [cell.strip() for cell in cells]
                if not any(values):
                    continue
                if len(values) != len(header):
                    raise InputError(
                        f"{path}, line {reader.line_num}: {len(header)} cells are wanted, "
                        f"{len(values)} came"
                    )
                yield reader.line_num, dict(zip(header, values, strict=True))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: a CSV file in UTF-8 is wanted ({error})") from error


def cell_number(row: Mapping[str, str], name: str) -> float | None:
    """Return a cell's number; None where it is empty or its column is not there.

    Raises:
        ValueError: It is no finite number.
    """
    text = row.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"a number is wanted in {name}, {text!r} came") from None
    if not math.isfinite(value):
        raise ValueError(f"a finite number is wanted in {name}, {text} came")
    return value


def _check_header(
    path: Path, header: list[str], wanted: Sequence[str], columns: Collection[str]
) -> None:
    if not set(wanted) <= set(header):
        came = ",".join(header)[:120] if any(header) else "an empty file"
        raise InputError(f"{path}: the columns {','.join(wanted)} are wanted, {came} came")
    unknown = [name for name in header if name not in columns]
    if unknown:
        raise InputError(f"{path}: unknown column {unknown[0]!r}; there are {', '.join(columns)}")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise InputError(f"{path}: the column {twice[0]!r} is there twice")
