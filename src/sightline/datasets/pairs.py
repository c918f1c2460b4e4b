"""Image pairs out of whatever is there: the one door for training and evaluation.

``open_pairs`` looks at the files of a folder (or at a file) and reads the layout it finds;
docs/pairs.md describes them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightline.datasets import colmap_pairs, dtu, landmarks, pair_lists, posed_json
from sightline.datasets.layouts import what_is_there
from sightline.datasets.pairing import PairingConfig, PosedView, pairs_of_frames
from sightline.errors import InputError
from sightline.records.colmap_files import has_model
from sightline.records.pairs import (
    PAIRS_CSV,
    ImagePair,
    PairSet,
    Unit,
    read_pair_set,
    read_pairs_csv,
)
from sightline.records.place import Place


@dataclass(frozen=True)
class _Layout:
    """A layout: what is read, how it is recognised, and what reads it."""

    name: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, PairingConfig, Path | None], PairSet]


def open_pairs(
    path: str | Path,
    *,
    max_pairs: int | None = None,
    seed: int = 0,
    pairing: PairingConfig | None = None,
    images: str | Path | None = None,
) -> PairSet:
    """Return the image pairs of a folder or a file, in whichever layout it is.

    Recognised by its files: a pair set (``pairs.csv``), a CSV file of pairs, a place
    (``place.toml``), a COLMAP model, ``poses.json``, ``pairs.json``, one or many 1DSfM landmarks
    (``EGs.txt``), DTU (``Calibration/cal18``), and a text list in SuperGlue's format.

    Args:
        path: The folder or file.
        max_pairs: Keep this many, drawn at random, in their order; all where not given.
        seed: Seed of the draw.
        pairing: Which posed images make pairs; the layout's own way where not given.
        images: Folder of the images, where they do not lie with the layout (COLMAP, text lists,
            landmarks).

    Raises:
        InputError: Nothing is known by that layout, or what it holds does not read.
    """
    path = Path(path)
    if max_pairs is not None and max_pairs < 1:
        raise InputError(f"max_pairs of 1 or more is wanted, {max_pairs} came")
    if not path.exists():
        raise InputError(f"{path} is wanted: a folder or file of image pairs; there is none")
    layout = next((known for known in LAYOUTS if known.recognises(path)), None)
    if layout is None:
        raise InputError(
            f"{path}: a layout of image pairs is wanted: "
            f"{'; '.join(known.name for known in LAYOUTS)}. There is {what_is_there(path)}"
        )
    found = layout.read(path, pairing or PairingConfig(), None if images is None else Path(images))
    return found if max_pairs is None else draw_pairs(found, max_pairs, seed)


def draw_pairs(pairs: PairSet, count: int, seed: int = 0) -> PairSet:
    """Return ``count`` pairs drawn at random, in their order; all where there are fewer."""
    if len(pairs) <= count:
        return pairs
    chosen = np.sort(np.random.default_rng(seed).choice(len(pairs), count, replace=False))
    return replace(pairs, pairs=tuple(pairs.pairs[i] for i in chosen))


def _holds(name: str) -> Callable[[Path], bool]:
    """Return a test for a folder with this file, or for the file itself."""
    return lambda path: (path / name).is_file() or (path.is_file() and path.name == name)


def _folder(path: Path) -> Path:
    return path.parent if path.is_file() else path


def _set(path: Path, pairs: Sequence[ImagePair], unit: Unit, source: str) -> PairSet:
    return PairSet(_folder(path).resolve().name, _folder(path), tuple(pairs), unit, source)


def _from_views(
    path: Path, views: Sequence[PosedView], unit: Unit, what: str, pairing: PairingConfig
) -> PairSet:
    try:
        pairs, words = pairs_of_frames(views, pairing)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return _set(path, pairs, unit, f"{what}; {words}")


def _pair_set(path: Path, _pairing: PairingConfig, _images: Path | None) -> PairSet:
    return read_pair_set(_folder(path))


def _csv(path: Path, _pairing: PairingConfig, _images: Path | None) -> PairSet:
    pairs = tuple(read_pairs_csv(path))
    return PairSet(path.stem, path.parent, pairs, "arbitrary", f"the list {path.name}")


def _text_list(path: Path, _pairing: PairingConfig, images: Path | None) -> PairSet:
    pairs = tuple(pair_lists.read_pair_list(path, images))
    return PairSet(path.stem, path.parent, pairs, "arbitrary", f"the list {path.name}")


def _place(path: Path, pairing: PairingConfig, _images: Path | None) -> PairSet:
    place = Place.open(_folder(path))
    views, unit = colmap_pairs.views_of_place(place)
    return replace(_from_views(path, views, unit, "poses of a place", pairing), name=place.name)


def _colmap(path: Path, pairing: PairingConfig, images: Path | None) -> PairSet:
    views = colmap_pairs.views_of_model(path, images)
    return _from_views(path, views, "arbitrary", "a COLMAP model", pairing)


def _poses_json(path: Path, pairing: PairingConfig, _images: Path | None) -> PairSet:
    views, unit = posed_json.read_poses_json(_folder(path) / posed_json.POSES_JSON)
    return _from_views(path, views, unit, posed_json.POSES_JSON, pairing)


def _pairs_json(path: Path, _pairing: PairingConfig, _images: Path | None) -> PairSet:
    pairs, unit = posed_json.read_pairs_json(_folder(path) / posed_json.PAIRS_JSON)
    return _set(path, pairs, unit, posed_json.PAIRS_JSON)


def _landmarks(path: Path, _pairing: PairingConfig, images: Path | None) -> PairSet:
    return landmarks.read_landmarks(path, images)


def _dtu(path: Path, pairing: PairingConfig, _images: Path | None) -> PairSet:
    views = dtu.read_dtu(path)
    if pairing == PairingConfig():
        pairing = dtu.PAPER_PAIRING
    return _from_views(path, views, "m", "DTU's robot calibration", pairing)


#: In the order in which they are looked for: what was made for pairs before what can give some.
LAYOUTS = (
    _Layout("a pair set (pairs.csv)", _holds(PAIRS_CSV), _pair_set),
    _Layout("a list of pairs (.csv)", lambda p: p.is_file() and p.suffix == ".csv", _csv),
    _Layout("pairs.json", _holds(posed_json.PAIRS_JSON), _pairs_json),
    _Layout("a place (place.toml)", _holds("place.toml"), _place),
    _Layout("poses.json", _holds(posed_json.POSES_JSON), _poses_json),
    _Layout("1DSfM landmarks (EGs.txt, gt_bundle.out)", landmarks.is_landmarks, _landmarks),
    _Layout("DTU (Calibration/cal18, Rectified or Cleaned)", dtu.is_dtu, _dtu),
    _Layout("a COLMAP model (cameras, images, points3D)", has_model, _colmap),
    _Layout(
        "a text list (name0 name1 rot0 rot1 K0 K1 T_0to1 in each line)",
        lambda p: p.is_file() and pair_lists.is_pair_list(p),
        _text_list,
    ),
)
