"""Photos without boxes: a folder a class, a table that names classes, or photos alone."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from sightline.datasets.left_out import LeftOut
from sightline.datasets.split_names import split_of
from sightline.errors import InputError, MediaError
from sightline.media.image_sources import ARCHIVE_SUFFIX, LIST_SUFFIX, image_names
from sightline.media.photo import FOREIGN_SUFFIXES, PHOTO_SUFFIXES
from sightline.records.csv_rows import csv_rows
from sightline.records.utility import LABELS_CSV, LABELS_TOML, PristineImage, PristineSet

#: How many classes a table of ImageNet's (known by its column ``wnid``) is about.
IMAGENET_CLASSES = 1000

_FILES = ("file", "image", "filename", "path")
_INDICES = ("class_index_0based", "class_index")
_NAMES = ("category", "class", "name", "label", "wnid")
_FOLDERS = (".", "images")


def photo_names(folder: Path) -> list[str]:
    """Return the photos of a folder, an archive or a list, without those that runs have made."""
    names = image_names(folder).names
    if not folder.is_dir():
        return names
    ours = {p.name for p in folder.iterdir() if p.is_dir() and _is_ours(p)}
    return [name for name in names if PurePosixPath(name).parts[0] not in ours]


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds labels or runs of ours, with plots and sheets among them."""
    if (folder / LABELS_TOML).is_file():
        return True
    # Labelling that was stopped has left its answers only.
    kept = ("*/config.toml", f"*/{LABELS_TOML}", "*/predictions")
    return folder.name == "runs" and any(path for name in kept for path in folder.glob(name))


def is_class_folders(path: Path) -> bool:
    """Whether two folders or more, and no photo beside them, hold photos: a class each.

    They may lie in folders called ``train``, ``val`` and ``test``.
    """
    return path.is_dir() and len(_classes(path)) > 1


def read_class_folders(path: Path, _left_out: LeftOut) -> PristineSet:
    """Return the photos of a folder a class; photos in folders below count to the upper one.

    Classes come in the order of their names, as torchvision's ``ImageFolder`` has them. A class
    without photos is one still, and named in the notes.
    """
    places = _classes(path)
    categories = tuple(sorted({folder.name for _, folder in places}))
    index = {name: i for i, name in enumerate(categories)}
    images = []
    for split, folder in places:
        inside = folder.relative_to(path).as_posix()
        for name in _names_in(folder):
            images.append(PristineImage(Path(inside, name), index[folder.name], split=split))
    full = {image.category for image in images}
    empty = [name for i, name in enumerate(categories) if i not in full]
    note = f"{len(empty)} classes have no photo (first: {empty[0]})" if empty else ""
    return PristineSet(
        path.resolve().name, path, tuple(images), categories, notes=(note,) if note else ()
    )


def _classes(path: Path) -> list[tuple[str, Path]]:
    """Return each class's folder with its split; nothing where photos lie beside them."""
    tops = _folders(path)
    parts = [(split_of(top.name), top) for top in tops]
    if tops and all(split for split, _ in parts):
        found = [(split, folder) for split, top in parts for folder in _folders(top)]
        above = [path, *tops]
    else:
        found, above = [("", folder) for folder in tops], [path]
    if any(_is_photo(p) for folder in above for p in folder.iterdir()):
        return []
    if len({folder.name for _, folder in found if _names_in(folder)}) < 2:
        return []
    return found


def _folders(path: Path) -> list[Path]:
    found = (p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    return sorted(p for p in found if not _is_ours(p))


def _names_in(folder: Path) -> list[str]:
    try:
        return photo_names(folder)
    except MediaError:
        return []


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES | FOREIGN_SUFFIXES and path.is_file()


def holds_photos(path: Path) -> bool:
    """Whether a path is a photo, or there are photos in it: in a folder, an archive, a list."""
    if path.is_file() and path.suffix.lower() not in (ARCHIVE_SUFFIX, LIST_SUFFIX):
        return _is_photo(path)
    try:
        return bool(photo_names(path))
    except MediaError:
        return False


def read_photos(path: Path, _left_out: LeftOut) -> PristineSet:
    """Return photos of which nothing is known."""
    notes = ("photos alone: what they show is not known, so what machines say is the truth",)
    if path.is_file() and _is_photo(path):
        return PristineSet(path.stem, path.parent, (PristineImage(Path(path.name)),), notes=notes)
    root = path if path.is_dir() else path.parent
    images = tuple(PristineImage(Path(name)) for name in photo_names(path))
    return PristineSet(path.resolve().stem, root, images, notes=notes)


def is_class_table(path: Path) -> bool:
    """Whether a path is a CSV file, or a folder with ``labels.csv``, that names photos' classes."""
    return _columns(_table(path)) is not None


def read_class_table(path: Path, left_out: LeftOut) -> PristineSet:
    """Return the photos that a table names, with their classes.

    One column names the photo (``file``, ``image``, ``filename`` or ``path``), relative to the
    table's folder or to ``images`` in it. The class is an index from 0 (``class_index_0based`` or
    ``class_index``) or a name (``category``, ``class``, ``name``, ``label``, ``wnid``); an empty
    cell: unknown. Columns ``split`` and ``source`` may be there; others are passed over.

    Raises:
        InputError: A cell does not read; the message names the line.
    """
    table = _table(path)
    columns = _columns(table)
    if columns is None:
        raise InputError(f"{table}: a column of {', '.join(_FILES)} and one of classes is wanted")
    rows = list(csv_rows(table, columns.wanted, columns.all))
    categories = _categories(table, rows, columns)
    index = {name: i for i, name in enumerate(categories)}
    images, listed = [], set()
    for line, row in rows:
        if row[columns.file] in listed:
            left_out.add("photo listed twice")
            continue
        listed.add(row[columns.file])
        where = _photo(table.parent, row[columns.file])
        category: int | None = None
        if columns.index and row[columns.index]:
            category = int(row[columns.index])
        elif not columns.index and row[columns.name]:
            category = index[row[columns.name]]
        split = row.get("split", "")
        if split and not split_of(split):
            raise InputError(
                f"{table}, line {line}: train, validation or test is wanted, {split!r} came"
            )
        images.append(
            PristineImage(where, category, split=split_of(split), source=row.get("source", ""))
        )
    name = table.parent.resolve().name if table.name == LABELS_CSV else table.stem
    return PristineSet(name, table.parent, tuple(images), categories)


class _Columns:
    """Which columns of a table say what."""

    def __init__(self, header: Sequence[str]) -> None:
        self.all = tuple(header)
        self.file = next((c for c in _FILES if c in header), "")
        self.index = next((c for c in _INDICES if c in header), "")
        self.name = next((c for c in _NAMES if c in header), "")
        self.imagenet = "wnid" in header and bool(self.index)

    @property
    def wanted(self) -> tuple[str, ...]:
        return self.file, self.index or self.name


def _table(path: Path) -> Path:
    return path / LABELS_CSV if path.is_dir() else path


def _columns(table: Path) -> _Columns | None:
    if table.suffix.lower() != ".csv" or not table.is_file():
        return None
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            columns = _Columns([cell.strip() for cell in next(csv.reader(stream), [])])
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    return columns if all(columns.wanted) else None


def _categories(
    table: Path, rows: Sequence[tuple[int, Mapping[str, str]]], columns: _Columns
) -> tuple[str, ...]:
    """Return the classes' names; ``class 17`` where a table has its index only."""
    if not columns.index:
        return tuple(sorted({row[columns.name] for _, row in rows} - {""}))
    names: dict[int, str] = {}
    for line, row in rows:
        cell = row[columns.index]
        if not cell:
            continue
        if not cell.isdecimal():
            raise InputError(
                f"{table}, line {line}: an index of 0 or more is wanted in {columns.index}, "
                f"{cell!r} came"
            )
        names.setdefault(int(cell), row[columns.name] if columns.name else "")
    count = max(names, default=-1) + 1
    if columns.imagenet:
        if count > IMAGENET_CLASSES:
            raise InputError(f"{table}: indices from 0 to 999 are wanted, {count - 1} came")
        count = IMAGENET_CLASSES
    if count > 100 * max(len(rows), 1000):
        raise InputError(f"{table}: classes counted from 0 are wanted, {count - 1} came")
    return tuple(names.get(i) or f"class {i}" for i in range(count))


def _photo(folder: Path, name: str) -> Path:
    """Return a photo's path relative to the table's folder, wherever of two places it is."""
    there: Iterator[Path] = (Path(place, name) for place in _FOLDERS)
    return next((p for p in there if (folder / p).is_file()), Path(name))
