"""Files that are whole or absent: write to a temporary name, then rename; digests of inputs."""

from __future__ import annotations

import dataclasses
import enum
import errno
import hashlib
import json
import os
import secrets
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from sightline.errors import InputError, StorageError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it onto ``path`` when the block succeeds.

    On any failure (a full disk, Ctrl-C) the temporary file or folder is removed and whatever
    stood at ``path`` before stays as it was. Works for files and for folders, from several
    threads and processes at once (the last to finish wins), and through a symbolic link (what the
    link points to is replaced, the link stays).

    Raises:
        StorageError: The disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.resolve()
    token = f"{os.getpid()}-{secrets.token_hex(4)}"
    temporary = path.with_name(f".{path.name}.{token}.tmp{path.suffix}")
    try:
        yield temporary
        if path.is_dir() and temporary.is_dir():
            _swap_folder(temporary, path, path.with_name(f".{path.name}.{token}.old"))
        else:
            temporary.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"room on the disk of {path.parent} is wanted, it is full; free some and run again "
                "(nothing was lost)"
            ) from error
        raise
    finally:
        _remove(temporary)


def _swap_folder(new: Path, path: Path, old: Path) -> None:
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically (NaN is refused: no JSON reader elsewhere takes it)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's content.

    Raises:
        InputError: The file is missing or is not TOML.
    """
    try:
        # utf-8-sig: Windows editors put a byte-order mark in front.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}") from error


def write_toml(path: Path, value: Mapping[str, Any]) -> None:
    """Write TOML atomically; keys whose value is None are left out, paths become text."""
    write_text(path, tomli_w.dumps(_for_toml(value)))


def digest(*parts: Any) -> str:
    """Return a short digest of values, the same in every run and on every machine.

    Args:
        parts: JSON values, and dataclasses, enums, paths, sets, NumPy scalars and arrays, nested
            in any way. Tuples count as lists.

    Raises:
        TypeError: A value has no stable text (its ``repr`` may hold an address, or be cut short).
    """
    text = json.dumps([_stable(part) for part in parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digest_files(paths: Iterable[Path], *, names: bool = True) -> str:
    """Return a short digest of files' names (unless told not to) and contents, in this order."""
    sha = hashlib.sha256()
    for path in paths:
        sha.update((path.name if names else "").encode() + b"\0")
        with path.open("rb") as stream:
            sha.update(hashlib.file_digest(stream, "sha256").digest())
    return sha.hexdigest()[:16]


@contextmanager
def locked_folder(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock on ``folder``, across threads and processes; nothing is written for it.

    On Windows, where folders cannot be locked, it does nothing.

    Raises:
        BlockingIOError: Another holds it, and ``wait`` is False.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _stable(value: Any) -> Any:
    """Return ``value`` as plain JSON values, without loss."""
    result: Any
    if value is None or type(value) in (bool, int, float, str):
        result = value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _stable(getattr(value, f.name)) for f in dataclasses.fields(value)}
        result = {type(value).__qualname__: fields}
    elif isinstance(value, enum.Enum):
        result = {type(value).__qualname__: value.name}
    elif isinstance(value, Mapping):
        # As pairs, because JSON would write the keys 1 and "1" alike.
        pairs = [[_stable(k), _stable(v)] for k, v in value.items()]
        result = {"mapping": sorted(pairs, key=json.dumps)}
    elif isinstance(value, (set, frozenset)):
        result = {"set": sorted((_stable(v) for v in value), key=json.dumps)}
    elif isinstance(value, (list, tuple)):
        result = [_stable(v) for v in value]
    elif isinstance(value, Path):
        result = {"path": value.as_posix()}
    elif isinstance(value, np.generic):
        result = _stable(value.item())
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        result = {"array": [value.dtype.str, list(value.shape), content]}
    else:
        raise TypeError(f"a value with a stable text is wanted in a digest, {type(value)} came")
    return result


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _for_toml(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _for_toml(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_for_toml(v) for v in value]
    return str(value) if isinstance(value, Path) else value
