"""MATLAB files: the same values as SciPy's reader, and damage never more than an InputError."""

import struct

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from sightline.errors import InputError
from sightline.records.matlab import read_matlab

NAMES = ("a", "b", "c", "text", "inner", "cells")


def saved(path, value, **options):
    savemat(path, {"record": value}, **options)
    return read_matlab(path, "record", NAMES)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "bool"]
)
def test_numbers_of_every_type(tmp_path, kind, compressed):
    values = np.array([[0, 1, 2], [100, 101, 102]]).astype(kind)
    path = tmp_path / "a.mat"
    found = saved(path, values, do_compression=compressed)
    assert found == loadmat(path)["record"].T.reshape(-1).tolist()
    assert found == values.T.reshape(-1).tolist()


def test_structs_cells_and_text(tmp_path):
    cells = np.empty((1, 2), dtype=object)
    cells[0, :] = ["here", {"a": 2.5}]
    array = np.zeros((1, 2), dtype=[("a", object), ("b", object)])
    array[0, 0] = (1, "x")
    array[0, 1] = (np.zeros((0, 0)), "")
    value = {"a": 3, "text": "caf\u00e9 \u4e2d", "inner": array, "cells": cells, "other": 9}
    assert saved(tmp_path / "a.mat", value) == [
        {
            "a": [3],
            "text": "caf\u00e9 \u4e2d",
            "inner": [{"a": [1], "b": "x"}, {"a": [], "b": ""}],
            "cells": ("here", [{"a": [2.5]}]),
        }
    ]


def test_only_the_wanted_fields_are_read(tmp_path):
    savemat(tmp_path / "a.mat", {"record": {"a": 1, "b": {"a": 2, "c": 3}}})
    assert read_matlab(tmp_path / "a.mat", "record", ["b", "c"]) == [{"b": [{"c": [3]}]}]


def test_the_variable_is_found_among_others(tmp_path):
    savemat(tmp_path / "a.mat", {"first": "x", "record": 5.5, "last": np.eye(3)})
    assert read_matlab(tmp_path / "a.mat", "record", ()) == [5.5]
    with pytest.raises(InputError, match=r"a\.mat.*'gone'"):
        read_matlab(tmp_path / "a.mat", "gone", ())


def test_what_is_no_plain_value_is_none(tmp_path):
    assert saved(tmp_path / "a.mat", {"a": np.array([1 + 2j]), "b": 1}) == [{"a": None, "b": [1]}]


def matlab_file(order, version, *elements):
    mark = {"<": b"IM", ">": b"MI"}[order]
    header = b"MATLAB".ljust(124) + struct.pack(f"{order}H", version) + mark
    return header + b"".join(elements)


def element(order, kind, data):
    return struct.pack(f"{order}II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order_by_hand(tmp_path, order):
    matrix = b"".join(
        [
            element(order, 6, struct.pack(f"{order}II", 6, 0)),
            element(order, 5, struct.pack(f"{order}ii", 2, 1)),
            # A small element: the count and the type share a word.
            struct.pack(f"{order}I", 1 << 16 | 1) + b"x\0\0\0",
            element(order, 9, struct.pack(f"{order}dd", 1.5, -2.0)),
        ]
    )
    path = tmp_path / "a.mat"
    path.write_bytes(matlab_file(order, 0x0100, element(order, 14, matrix)))
    assert read_matlab(path, "x", ()) == [1.5, -2.0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "version 5 to 7"),
        (b"text " * 100, "version 5 to 7"),
        (matlab_file("<", 0x0200), "version 5 to 7"),  # 7.3 is HDF5
        (matlab_file("<", 0x0100), "variable 'record'"),
        (matlab_file("<", 0x0100, struct.pack("<II", 14, 999)), "beyond its end"),
        (matlab_file("<", 0x0100, element("<", 14, b"")), "ends too early"),
        (matlab_file("<", 0x0100, element("<", 15, b"not packed")), "damaged"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, content, words):
    path = tmp_path / "bad.mat"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.mat") as caught:
        read_matlab(path, "record", NAMES)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.mat is wanted"):
        read_matlab(tmp_path / "gone.mat", "record", ())


@pytest.mark.parametrize("compressed", [False, True])
def test_random_damage_is_read_or_refused(tmp_path, compressed):
    value = {"a": np.arange(5), "inner": {"b": [1.5], "cells": np.array(["p", "q"], dtype=object)}}
    path = tmp_path / "a.mat"
    savemat(path, {"record": value}, do_compression=compressed)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(2000):
        content = bytearray(whole[: rng.integers(1, len(whole) + 200)])
        for place in rng.integers(min(128, len(content) - 1), len(content), size=4):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            read_matlab(path, "record", NAMES)
        except InputError:
            refused += 1
    assert 200 < refused < 2000 + compressed


def test_a_small_file_that_unpacks_to_very_much_is_refused(tmp_path):
    """As Python's numbers, 256 MiB of packed zeros took 10 GB."""
    path = tmp_path / "bomb.mat"
    savemat(path, {"record": {"a": np.zeros(17 << 20, np.uint8)}}, do_compression=True)
    assert path.stat().st_size < 1 << 17
    with pytest.raises(InputError, match=r"bomb\.mat.*within 16 MiB"):
        read_matlab(path, "record", NAMES)


def test_other_variables_are_not_read(tmp_path):
    value = {"a": 1}
    for _ in range(30):
        value = {"inner": value}
    savemat(tmp_path / "a.mat", {"other": value, "record": 5.5})
    assert read_matlab(tmp_path / "a.mat", "record", NAMES) == [5.5]


def test_structs_in_each_other_without_end_are_refused(tmp_path):
    value = {"a": 1}
    for _ in range(30):
        value = {"inner": value}
    savemat(tmp_path / "a.mat", {"record": value})
    with pytest.raises(InputError, match="too deep"):
        read_matlab(tmp_path / "a.mat", "record", NAMES)
