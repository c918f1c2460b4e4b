"""MATLAB files (version 5, which MATLAB's -v6 and -v7 write), read with care.

SciPy's reader crashes the whole process on some damaged files; this one refuses them, and passes
over fields that nobody asked for. Only what data sets are made of is read: structs, cells, text
and real numbers.

Source: "MAT-File Format", The MathWorks.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sightline.errors import InputError

#: A larger file, or one that unpacks to more, is not one of ours (annotations have some KB); as
#: Python's numbers it would take 40 times the room.
MAX_BYTES = 16 << 20
_MAX_DEPTH = 16

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
            13: "u8"}  # fmt: skip
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMERIC = range(6, 16)
_COMPLEX = 0x800


class _DamagedError(ValueError):
    """The bytes are not what the format says."""


class _Element(NamedTuple):
    """A piece of a file: its type and its bytes."""

    kind: int
    data: memoryview


class _Reader:
    """Reads elements in one byte order.

    Values come as Python's own: a struct array as a list of dicts, cells as a tuple, text as str,
    numbers as a list of them (column by column), anything else as None.
    """

    def __init__(self, order: str, fields: Collection[str]) -> None:
        self._order = order
        self._tag = struct.Struct(f"{order}II")
        self._fields = fields
        self._encoding = {"<": "-le", ">": "-be"}[order]

    def elements(self, data: memoryview) -> Iterator[_Element]:
        """Yield the elements that lie one behind the other."""
        at = 0
        while at + 8 <= len(data):
            word, count = self._tag.unpack_from(data, at)
            if word >> 16:  # a small element: up to four bytes, inside the tag
                kind, count, start, following = word & 0xFFFF, word >> 16, at + 4, at + 8
                if count > 4:
                    raise _DamagedError("a small element of more than four bytes")
            else:
                kind, start = word, at + 8
                following = start + count if kind == _COMPRESSED else start + (count + 7 & ~7)
            if start + count > len(data):
                raise _DamagedError("an element reaches beyond its end")
            yield _Element(kind, data[start : start + count])
            at = following

    def unpacked(self, element: _Element) -> _Element:
        """Return a top element as it was before it was packed."""
        if element.kind != _COMPRESSED:
            return element
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(element.data, MAX_BYTES)
        if not unpacker.eof:
            raise _DamagedError(f"packed content that does not end within {MAX_BYTES >> 20} MiB")
        return next(self.elements(memoryview(content)), _Element(0, element.data[:0]))

    def name(self, matrix: memoryview) -> str:
        """Return the name of the variable that a matrix element is."""
        parts = self.elements(matrix)
        _next(parts), _next(parts)
        return bytes(_next(parts).data).decode("latin-1")

    def value(self, matrix: memoryview, depth: int) -> Any:
        """Return what a matrix element holds."""
        if not matrix:
            return []
        if depth > _MAX_DEPTH:
            raise _DamagedError("structs too deep in each other")
        parts = self.elements(matrix)
        flags = self._integers(_next(parts))[0]
        sides = self._integers(_next(parts))
        count, kind = math.prod(sides), flags & 0xFF
        if min(sides) < 0 or count > len(matrix):
            raise _DamagedError(f"an array of {count} in {len(matrix)} bytes")
        _next(parts)  # its name
        if kind == _STRUCT:
            return self._structs(parts, count, depth)
        if kind == _CELL:
            return tuple(self.value(_next(parts).data, depth + 1) for _ in range(count))
        if kind == _CHAR:
            return self._text(_next(parts)) if count else ""
        if kind in _NUMERIC and not flags & _COMPLEX:
            return self._numbers(_next(parts), count)
        return None

    def _structs(self, parts: Iterator[_Element], count: int, depth: int) -> list[dict[str, Any]]:
        length = self._integers(_next(parts))[0]
        text = bytes(_next(parts).data)
        if length < 1:
            raise _DamagedError(f"field names of {length} bytes")
        names = [
            text[i : i + length].split(b"\0")[0].decode("latin-1")
            for i in range(0, len(text), length)
        ]
        found: list[dict[str, Any]] = []
        for _ in range(count if names else 0):
            fields = {}
            for name in names:
                element = _next(parts)
                if element.kind != _MATRIX:
                    raise _DamagedError(f"the field {name!r} holds no array")
                if name in self._fields:
                    fields[name] = self.value(element.data, depth + 1)
            found.append(fields)
        return found

    def _integers(self, element: _Element) -> list[int]:
        if element.kind not in (5, 6) or len(element.data) < 4:
            raise _DamagedError("a head without whole numbers")
        return self._plain(element)

    def _numbers(self, element: _Element, count: int) -> list[Any]:
        if element.kind not in _NUMBERS:
            raise _DamagedError(f"numbers of the unknown type {element.kind}")
        values = self._plain(element)
        if len(values) != count:
            raise _DamagedError(f"{len(values)} numbers instead of {count}")
        return values

    def _plain(self, element: _Element) -> list[Any]:
        kind = np.dtype(self._order + _NUMBERS[element.kind])
        values: list[Any] = np.frombuffer(element.data, kind).tolist()
        return values

    def _text(self, element: _Element) -> str:
        encoding = _TEXTS.get(element.kind)
        if encoding is None:
            raise _DamagedError(f"text of the unknown type {element.kind}")
        if encoding in ("utf-16", "utf-32"):
            encoding += self._encoding
        return bytes(element.data).decode(encoding)


def _next(parts: Iterator[_Element]) -> _Element:
    element = next(parts, None)
    if element is None:
        raise _DamagedError("an array that ends too early")
    return element


def read_matlab(path: Path, variable: str, fields: Collection[str]) -> Any:
    """Return a variable of a MATLAB file.

    Args:
        path: The file.
        variable: The variable's name.
        fields: Names of the structs' fields, at any depth, that are wanted; others are passed over.

    Returns:
        A struct array as a list of dicts, cells as a tuple, text as str, real numbers as a list
        (column by column); None for anything else (objects, complex and sparse numbers).

    Raises:
        InputError: The file is missing, damaged, of another version, or has no such variable.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: a file of {MAX_BYTES >> 20} MiB at most is wanted")
        content = memoryview(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} is wanted; there is no such file, or it does not read") from error
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[126:128]))
    if order is None or content[125 if order == "<" else 124] != 1:
        raise InputError(
            f"{path}: a MATLAB file of version 5 to 7 is wanted, another kind of file came; "
            "save it in MATLAB with -v7"
        )
    reader = _Reader(order, fields)
    try:
        for packed in reader.elements(content[_HEADER_BYTES:]):
            element = reader.unpacked(packed)
            if element.kind == _MATRIX and reader.name(element.data) == variable:
                return reader.value(element.data, 0)
    except (ValueError, zlib.error) as error:
        raise InputError(
            f"{path}: a whole MATLAB file is wanted, this one is damaged "
            f"({' '.join(str(error).split())}); copy it again"
        ) from error
    raise InputError(f"{path}: a MATLAB file with a variable {variable!r} is wanted")
