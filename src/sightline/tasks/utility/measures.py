"""What else is known of a distorted image: what Fig. 1 of paper 004 sets beside utility.

Measured once for each set of images and kept in a CSV in the labels' ``cache``.
"""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, SightlineError
from sightline.learning.cache import Progress, build_rows
from sightline.media.quality import psnr, sharpness, ssim
from sightline.records.csv_rows import cell_number, csv_rows
from sightline.records.files import digest, locked_folder, write_text
from sightline.records.utility import UtilityItem, UtilitySet
from sightline.tasks.utility.samples import Copies, made_of, photo_stats

Values = NDArray[np.float64]

#: Names, in the order of tables: JPEG quality (100 where nothing was compressed by JPEG), file size
#: over pixels, peak signal-to-noise ratio in dB and structural similarity to the pristine image,
#: variance of the Laplacian, and the machines' mean energy score (Liu et al. 2020).
MEASURES = ("quality", "bytes_per_pixel", "psnr", "ssim", "sharpness", "energy")

#: What is read off pixels, and kept.
_KEPT = ("pixels", "psnr", "ssim", "sharpness")
_COLUMNS = ("image", "distortion", "seed", "augmented", *_KEPT)

#: PSNR of an image that is equal to its pristine one; 8-bit images that differ have less.
_EQUAL_DB = 100.0

#: JPEG quality of what was not compressed by JPEG.
_BEST_QUALITY = 100.0

_THREADS = 2


def metric_values(
    data: UtilitySet, progress: Progress = lambda _stage, _fraction: None
) -> dict[str, Values]:
    """Return (N,) values of each of :data:`MEASURES` for a set's images, in their order.

    NaN where a measure says nothing of an image: no file size, no energy, a photo that does not
    read. Paper 004, Fig. 1, draws their histograms by utility.

    Args:
        data: The images.
        progress: Called with a text and the fraction done.
    """
    kept = _read_or_measure(data, progress)
    size = np.array([item.bytes or np.nan for item in data.items], dtype=np.float64)
    return {
        "quality": np.array([_quality(item) for item in data.items], dtype=np.float64),
        "bytes_per_pixel": size / kept["pixels"],
        "psnr": kept["psnr"],
        "ssim": kept["ssim"],
        "sharpness": kept["sharpness"],
        "energy": np.array([_energy(item) for item in data.items], dtype=np.float64),
    }


def _quality(item: UtilityItem) -> float:
    return item.distortion.level if item.distortion.kind == "jpeg" else _BEST_QUALITY


def _energy(item: UtilityItem) -> float:
    known = [m.energy for m in item.machines if np.isfinite(m.energy)]
    return float(np.mean(known)) if known else float("nan")


def _read_or_measure(data: UtilitySet, progress: Progress) -> dict[str, Values]:
    key = digest([made_of(item) for item in data.items], photo_stats(data))
    path = data.root / "cache" / f"measures-{key}.csv"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked_folder(path.parent):
            if not path.is_file():
                _write(path, data, _measure(path.with_suffix(".npy"), data, progress))
    rows = [
        [np.nan if (n := cell_number(row, name)) is None else n for name in _KEPT]
        for _, row in csv_rows(path, _COLUMNS, _COLUMNS)
    ]
    if len(rows) != len(data):
        raise InputError(f"{path}: {len(data)} rows are wanted, {len(rows)} came; delete it")
    table = np.array(rows, dtype=np.float64).reshape(-1, len(_KEPT))
    return {name: table[:, k] for k, name in enumerate(_KEPT)}


def _measure(path: Path, data: UtilitySet, progress: Progress) -> Values:
    """Return (N, 4) numbers of the images; a killed call goes on where it was."""
    images = Copies(data.images_root, data.items)

    def measure(index: int) -> Values:
        try:
            pristine, distorted = images(index)
        except SightlineError:
            return np.full(len(_KEPT), np.nan)
        ratio = min(psnr(distorted, pristine), _EQUAL_DB)
        pixels = pristine.shape[0] * pristine.shape[1]
        return np.array([pixels, ratio, ssim(distorted, pristine), sharpness(distorted)])

    if not path.is_file():
        with ThreadPoolExecutor(_THREADS, "measures") as pool:
            build_rows(
                path,
                (len(data), len(_KEPT)),
                np.float64,
                fill=lambda todo: pool.map(measure, todo),
                report=lambda fraction: progress(f"{data.name}: quality measured", fraction),
                chunk=64,
            )
    found: Values = np.load(path, allow_pickle=False)
    path.unlink()  # the CSV, written next, says the same
    return found


def _write(path: Path, data: UtilitySet, found: Values) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for item, numbers in zip(data.items, found, strict=True):
        cells = [f"{n:.7g}" if np.isfinite(n) else "" for n in numbers]
        writer.writerow([*made_of(item), *cells])
    write_text(path, stream.getvalue())
