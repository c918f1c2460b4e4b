"""COLMAP's database of features, read without changing a byte of it or of its folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError


def count_features(database: Path) -> dict[str, int]:
    """Return name -> number of features, of every image of a database.

    Raises:
        InputError: The file is not a database of COLMAP's.
    """
    with _opened(database) as connection:
        rows = connection.execute(
            "SELECT images.name, keypoints.rows FROM images JOIN keypoints USING (image_id)"
        )
        return {str(name): int(count) for name, count in rows}


def read_descriptors_of(database: Path, names: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
    """Return name -> (M, 128) descriptors in the order of the keypoints, of some images.

    Raises:
        InputError: The file is not a database of COLMAP's.
    """
    found: dict[str, NDArray[np.uint8]] = {}
    with _opened(database) as connection:
        for name in names:
            row = connection.execute(
                "SELECT descriptors.rows, descriptors.cols, descriptors.data FROM images"
                " JOIN descriptors USING (image_id) WHERE images.name = ?",
                (name,),
            ).fetchone()
            if row is not None:
                data = np.frombuffer(row[2] or b"", dtype=np.uint8)
                if len(data) != row[0] * row[1]:  # descriptors of another type
                    raise InputError(f"{database}: SIFT descriptors are wanted, others came")
                found[name] = data.reshape(row[0], row[1])
    return found


@contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    if not database.is_file():
        raise InputError(f"{database} is wanted; there is no such file")
    # pycolmap would open it for writing; `immutable` takes no lock and leaves no side file.
    uri = f"{database.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise InputError(f"{database}: a database of features does not read ({error})") from error
