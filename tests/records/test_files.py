"""Files that are whole or absent, and digests that mean their input."""

import enum
import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import InputError, StorageError
from sightline.records.files import (
    atomic_path,
    digest,
    digest_files,
    locked_folder,
    read_toml,
    write_json,
    write_text,
    write_toml,
)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
        assert temporary.parent == target.parent
        assert temporary.suffix == ".txt"
    assert target.read_text() == "whole"
    assert names(target.parent) == ["a.txt"]


def replace_but_fail(path, failure):
    with atomic_path(path) as temporary:
        if path.is_dir():
            temporary.mkdir()
            (temporary / "half.jpg").write_text("half")
        else:
            temporary.write_text("half")
        raise failure


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_keeps_what_was_there_and_leaves_nothing_behind(tmp_path, failure):
    file, folder = tmp_path / "a.txt", tmp_path / "images"
    file.write_text("old")
    folder.mkdir()
    (folder / "kept.jpg").write_text("old")
    with pytest.raises(failure):
        replace_but_fail(file, failure)
    with pytest.raises(failure):
        replace_but_fail(folder, failure)
    assert file.read_text() == "old"
    assert names(folder) == ["kept.jpg"]
    assert names(tmp_path) == ["a.txt", "images"]


def test_a_folder_replaces_a_folder_whole(tmp_path):
    folder = tmp_path / "images"
    for name in ("first.jpg", "second.jpg"):
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            (temporary / name).write_text(name)
    assert names(folder) == ["second.jpg"]
    assert names(tmp_path) == ["images"]


def test_a_folder_swap_that_fails_half_way_is_undone(tmp_path, monkeypatch):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "kept.jpg").write_text("old")
    rename = Path.rename

    def refuse_the_new(self, target):
        if self.name.endswith(".tmp"):
            raise PermissionError(13, "refused")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new)
    with pytest.raises(PermissionError), atomic_path(folder) as temporary:
        temporary.mkdir()
    assert names(tmp_path) == ["images"]
    assert names(folder) == ["kept.jpg"]


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    big_disk = tmp_path / "big"
    big_disk.mkdir()
    (tmp_path / "cache").symlink_to(big_disk)
    with atomic_path(tmp_path / "cache") as temporary:
        temporary.mkdir()
        (temporary / "frames.npy").write_text("x")
    assert (tmp_path / "cache").is_symlink()
    assert names(big_disk) == ["frames.npy"]


def fill_the_disk(path):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        Path("/dev/full").write_text("the kernel's own ENOSPC")


def test_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path):
    target = tmp_path / "poses.csv"
    target.write_text("old")
    with pytest.raises(StorageError, match=r"room on the disk of .* is full") as caught:
        fill_the_disk(target)
    assert "\n" not in str(caught.value)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["poses.csv"]


def test_threads_that_write_one_file_do_not_meet(tmp_path):
    target, failures = tmp_path / "a.txt", []

    def write(letter):
        try:
            for _ in range(50):
                write_text(target, letter * 1000)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert target.read_text() in {letter * 1000 for letter in "abcd"}
    assert names(tmp_path) == ["a.txt"]


def test_a_lock_waits_for_its_holder(tmp_path):
    order = []

    def second():
        with locked_folder(tmp_path):
            order.append("second")

    with locked_folder(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert names(tmp_path) == []


def test_text_is_utf8_with_plain_newlines(tmp_path):
    write_text(tmp_path / "a.txt", "Küche\n")
    assert (tmp_path / "a.txt").read_bytes() == "Küche\n".encode()


def test_json_refuses_nan(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1, 2.5, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, 2.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, 2.5, None]}


def test_toml_round_trip_leaves_none_out(tmp_path):
    write_toml(tmp_path / "a.toml", {"a": 1, "b": None, "t": {"c": None, "d": [{"e": None}]}})
    assert read_toml(tmp_path / "a.toml") == {"a": 1, "t": {"d": [{}]}}


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"= nothing", "not a TOML file"), (b"\xff\xfe", "not a TOML file")],
)
def test_toml_that_does_not_read_is_named(tmp_path, content, message):
    path = tmp_path / "a.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_toml(path)


def test_toml_with_a_byte_order_mark_reads(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfa = 1\r\n")
    assert read_toml(tmp_path / "a.toml") == {"a": 1}


@dataclass(frozen=True)
class Options:
    rate: float = 10.0
    name: str = "a"


@dataclass(frozen=True)
class Others:
    rate: float = 10.0
    name: str = "a"


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


LONG = np.arange(5000)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Options(), Options(rate=10.5)),
        (Options(), Others()),
        ({"o": Options()}, {"o": Options(name="b")}),
        (LONG, np.where(LONG == 2500, 0, LONG)),  # str() cuts both to the same text
        (LONG, LONG.reshape(50, 100)),
        (LONG.astype(np.int32), LONG.astype(np.int64)),
        (0.1 + 0.2, 0.3),
        ({1: "x"}, {"1": "x"}),
        ("1", 1),
        (None, "None"),
        (True, 1),
        (Colour.RED, Colour.BLUE),
        (Path("a"), "a"),
        (["ab", "c"], ["a", "bc"]),
        ({"a", "b"}, ["a", "b"]),
    ],
)
def test_digests_tell_values_apart(a, b):
    assert digest(a) != digest(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Options(), Options()),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"x", "y", "z"}, {"z", "x", "y"}),
        ((1, 2), [1, 2]),
        (np.float64(0.5), 0.5),
        (LONG, LONG.copy()),
        (LONG.reshape(50, 100).T, np.ascontiguousarray(LONG.reshape(50, 100).T)),
    ],
)
def test_digests_of_equal_values_agree(a, b):
    assert digest(a) == digest(b)


def test_digests_are_the_same_in_another_process():
    """Sets of strings iterate in another order in every process."""
    code = (
        "from sightline.records.files import digest\n"
        "print(digest({'x', 'yy', 'zzz'}, {'k': 1.5}, 'text'))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {digest({"x", "yy", "zzz"}, {"k": 1.5}, "text")}


@pytest.mark.parametrize("value", [object(), Options, np.array([object()]), lambda: None])
def test_digests_refuse_what_has_no_stable_text(value):
    with pytest.raises(TypeError, match="stable text"):
        digest(value)


def test_digests_of_files_see_names_contents_and_order(tmp_path):
    for name, text in (("a", "1"), ("b", "2"), ("c", "1")):
        (tmp_path / name).write_text(text)
    a, b, c = (tmp_path / n for n in "abc")
    assert len({digest_files(p) for p in ([a, b], [b, a], [a], [c], [])}) == 5
    before = digest_files([a, b])
    b.write_text("3")
    assert digest_files([a, b]) != before
    b.write_text("2")
    assert digest_files([a, b]) == before
