"""Many photos at once: folders, tar archives and lists of them, named and read alike.

A photo in an archive is named as if the archive were a folder: ``photos.tar/0001.jpg``. Nothing is
ever unpacked to disk.
"""

from __future__ import annotations

import os
import re
import tarfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import MediaError
from sightline.media.limits import DEFAULT_LIMITS, MediaLimits, check_bytes
from sightline.media.photo import FOREIGN_SUFFIXES, PHOTO_SUFFIXES, read_photo

ARCHIVE_SUFFIX = ".tar"
LIST_SUFFIX = ".txt"

#: Photos that cannot be read (HEIC) are named too, so that reading says so.
_SUFFIXES = tuple(sorted(PHOTO_SUFFIXES | FOREIGN_SUFFIXES))

#: Indexes of archives that are kept; one of 10,000 photos takes about 2 MB.
_KEPT_INDEXES = 64

_DIGITS = re.compile(r"([0-9]+)")

#: What ``read_photo`` calls content that came without a name.
_NAMELESS = "the given content"


@dataclass(frozen=True)
class ImageNames:
    """The photos of a source; names instead of paths, because there may be millions.

    Attributes:
        root: Folder that the names are relative to.
        names: With ``/`` between folders; absolute where a list named them so.
    """

    root: Path
    names: list[str]

    def __len__(self) -> int:
        return len(self.names)


def image_paths(source: Path) -> list[Path]:
    """Return the photos of a folder, an archive or a list; see :func:`image_names`.

    Raises:
        MediaError: As there.
    """
    found = image_names(source)
    return [found.root / name for name in found.names]


def image_names(source: Path) -> ImageNames:
    """Return the names of the photos of a folder, an archive or a list, each once.

    A folder is searched with all folders in it, each in natural order (``2.jpg`` before
    ``10.jpg``); hidden files are left out; archives in it count as folders. The photos of an
    archive (``.tar``, not compressed) come in its own order. A list (``.txt``) has one path a
    line, relative to the list's folder or absolute: photos, photos in archives, or archives.
    Photos are known by their suffix and are not opened. An archive that is cut off is itself
    named behind the photos it still has, so that reading it says so.

    Raises:
        MediaError: There is no such source, it is of another kind, or holds no photo.
    """
    if source.is_dir():
        root, names = source, _folder_names(source)
    elif source.is_file() and source.suffix.lower() == ARCHIVE_SUFFIX:
        index = _index(source)
        if not index.members and index.damage:
            raise MediaError(index.damage)
        root, names = source.parent, _archive_names(source, source.name)
    elif source.is_file() and source.suffix.lower() == LIST_SUFFIX:
        root, names = source.parent, _list_names(source)
    else:
        came = f"{source} is another file" if source.exists() else f"{source} does not exist"
        raise MediaError(f"a folder, a .tar or a list (.txt) of photos is wanted; {came}")
    unique = list(dict.fromkeys(names))
    if not unique:
        raise MediaError(
            f"photos are wanted; {source} holds none; their names end in {' '.join(_SUFFIXES)}"
        )
    return ImageNames(root, unique)


def read_image(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> NDArray[np.uint8]:
    """Return a photo upright, (H, W, 3) uint8 RGB, from a file or from an archive.

    Safe to call from several threads at once.

    Args:
        path: A file, or a photo in an archive (``photos.tar/0001.jpg``).
        limits: The largest file and picture.

    Raises:
        MediaError: As for ``read_photo``; or it is not in the archive.
    """
    if archive_of(path) is None:
        return read_photo(path, limits)
    return decode_image(read_content(path, limits), str(path), limits)


def decode_image(
    content: bytes, name: str, limits: MediaLimits = DEFAULT_LIMITS
) -> NDArray[np.uint8]:
    """Return the photo that a file's content holds; messages call it ``name``.

    Raises:
        MediaError: As for ``read_photo``.
    """
    try:
        return read_photo(content, limits)
    except MediaError as error:
        raise MediaError(str(error).replace(_NAMELESS, name)) from error


def read_content(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> bytes:
    """Return the bytes of a file, or of one in an archive.

    Raises:
        MediaError: It does not exist, cannot be read, is empty or larger than ``max_bytes``.
    """
    archive = archive_of(path)
    try:
        if archive is not None:
            return _member_content(archive, path, limits)
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            check_bytes(str(path), size, "a photo", limits.max_bytes, "max_bytes")
            return stream.read()
    except FileNotFoundError as error:
        raise MediaError(f"a photo is wanted; {path} does not exist; check the path") from error
    except OSError as error:
        raise MediaError(
            f"a photo is wanted; {path} cannot be read ({error.strerror}); check it and its rights"
        ) from error


def archive_of(path: Path) -> Path | None:
    """Return the archive that a path goes through or names; None for a plain file."""
    if ARCHIVE_SUFFIX not in str(path).lower():
        return None  # without asking the disk
    for place in (*reversed(path.parents), path):
        if place.suffix.lower() == ARCHIVE_SUFFIX and place.is_file():
            return place
    return None


@dataclass(frozen=True)
class _Index:
    """Where an archive's photos lie: offset and size in bytes by name; what is wrong with it."""

    members: dict[str, tuple[int, int]]
    damage: str


_Key = tuple[str, int, int]


class _Indexes:
    """The archives' indexes, each made once whichever threads ask, the latest kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._making: dict[_Key, threading.Lock] = {}
        self._made: OrderedDict[_Key, _Index] = OrderedDict()

    def get(self, archive: Path) -> _Index:
        """Return an archive's index; a changed file is read anew."""
        status = archive.stat()
        key = (str(archive), status.st_size, status.st_mtime_ns)
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._made:
                    return self._made[key]
            index = _read_index(archive)
            with self._lock:
                self._made[key] = index
                self._making.pop(key, None)
                while len(self._made) > _KEPT_INDEXES:
                    self._made.popitem(last=False)
        return index


_INDEXES = _Indexes()


def _index(archive: Path) -> _Index:
    try:
        return _INDEXES.get(archive)
    except OSError as error:
        raise MediaError(
            f"{archive} cannot be read ({error.strerror}); check its rights"
        ) from error


def _read_index(archive: Path) -> _Index:
    """Return where the photos of an archive lie; of one name the last counts, as tar has it."""
    members: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(archive, "r:") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
                name = _member_name(member.name)
                if member.isreg() and member.sparse is None and _is_photo(name):
                    members[name] = (member.offset_data, member.size)
            # tarfile takes a damaged header in the middle for the end; the end is zeros.
            tar.fileobj.seek(tar.offset)
            if any(tar.fileobj.read(tarfile.BLOCKSIZE)):
                raise tarfile.ReadError("damaged header")
    except (tarfile.TarError, EOFError) as error:
        what = f"damaged or cut off after {len(members)} photos" if members else "none or damaged"
        return _Index(
            members,
            f"a whole, uncompressed tar archive is wanted; {archive} is {what} ({error}); "
            "copy it again",
        )
    return _Index(members, "")


def _member_name(name: str) -> str:
    """Return a member's name as a path below the archive, whatever it tries to be."""
    return "/".join(part for part in name.split("/") if part not in {"", ".", ".."})


def _member_content(archive: Path, path: Path, limits: MediaLimits) -> bytes:
    index = _index(archive)
    if path == archive:
        raise MediaError(
            index.damage
            or f"a photo is wanted; {path} is an archive; name one in it ({path}/NAME.jpg)"
        )
    where = index.members.get(path.relative_to(archive).as_posix())
    if where is None:
        raise MediaError(f"a photo is wanted; {path} is not in the archive; check the name")
    offset, size = where
    check_bytes(str(path), size, "a photo", limits.max_bytes, "max_bytes")
    with archive.open("rb") as stream:
        stream.seek(offset)
        content = stream.read(size)
    if len(content) < size:
        raise MediaError(f"a whole photo is wanted; {archive} ends within {path.name}; copy it")
    return content


def _archive_names(archive: Path, name: str) -> Iterator[str]:
    """Yield the photos of an archive called ``name``, then itself where it is damaged."""
    index = _index(archive)
    for member in index.members:
        yield f"{name}/{member}"
    if index.damage:
        yield name


def _folder_names(root: Path, inside: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the photos below a folder; what kind an entry is comes with its name from the disk.

    Args:
        root: Where names begin.
        inside: The folder's name, ending in ``/``; empty for the root itself.
        above: Real paths of the folders above; links that lead back up are not followed.
    """
    real = os.path.realpath(root / inside)
    if real in above:
        return
    try:
        with os.scandir(real) as entries:
            kinds = {e.name: e.is_dir() for e in entries if not e.name.startswith(".")}
    except OSError as error:
        raise MediaError(
            f"a folder of photos is wanted; {root / inside} cannot be read ({error.strerror}); "
            "check its rights"
        ) from error
    for name in sorted(kinds, key=_natural_key):
        if kinds[name]:
            yield from _folder_names(root, f"{inside}{name}/", (*above, real))
        elif _is_photo(name):
            yield inside + name
        elif name.lower().endswith(ARCHIVE_SUFFIX):
            yield from _archive_names(root / inside / name, inside + name)


def _list_names(path: Path) -> Iterator[str]:
    """Yield what the lines of a list name; whether it exists shows when it is read."""
    try:
        # surrogateescape: file names need not be UTF-8; -sig: Windows editors put a mark in front.
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}); check its rights") from error
    for line in text.split("\n"):  # splitlines would cut names at rarer characters too
        name = line.strip()
        if name.lower().endswith(ARCHIVE_SUFFIX) and (path.parent / name).is_file():
            yield from _archive_names(path.parent / name, name)
        elif name:
            yield name


def _is_photo(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES) and not name.rpartition("/")[2].startswith(".")


def _natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    parts = _DIGITS.split(name.casefold())
    # Odd parts are digits; the name itself settles ties such as 01.jpg and 1.jpg.
    return [(int(p), "") if odd % 2 else (-1, p) for odd, p in enumerate(parts)], name
