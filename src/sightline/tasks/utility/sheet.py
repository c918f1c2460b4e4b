"""A contact sheet: the best and the worst of many images, in one HTML file that opens offline."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from sightline.media import write_photo
from sightline.records.figures import new_figure, save_figure
from sightline.records.html_report import Report

Photo = NDArray[np.uint8]

#: Longer side of a small copy, in pixels.
_THUMBNAIL_PX = 288

_GREEN, _RED = (22, 128, 61), (185, 28, 28)


@dataclass(eq=False)
class ContactSheet:
    """Keeps all scores, and small copies of the best and worst only, however many images come.

    Args:
        threshold: From which score on an image counts as useful.
        each: How many of the best, and of the worst.
    """

    threshold: float
    each: int
    _scores: list[float] = field(default_factory=list)
    _best: list[_Entry] = field(default_factory=list)
    _worst: list[_Entry] = field(default_factory=list)

    def add(self, name: str, score: float, image: Photo) -> None:
        """Take one image; of equal scores those that came first stay.

        Args:
            name: As its caption has it.
            score: From 0 to 1.
            image: uint8 (H, W, 3) RGB.
        """
        order = len(self._scores)
        self._scores.append(score)
        small: Photo | None = None
        for heap, key in ((self._best, score), (self._worst, -score)):
            if len(heap) == self.each and (key, -order) < heap[0].key:
                continue
            small = thumbnail(image, _THUMBNAIL_PX) if small is None else small
            entry = _Entry((key, -order), name, score, small)
            (heapq.heappush if len(heap) < self.each else heapq.heapreplace)(heap, entry)

    def best(self) -> list[tuple[str, float]]:
        """Return names and scores of the best, the best first."""
        return [(entry.name, entry.score) for entry in sorted(self._best, reverse=True)]

    def worst(self) -> list[tuple[str, float]]:
        """Return names and scores of the worst, the worst first; none that is among the best."""
        return [(entry.name, entry.score) for entry in self._worst_only()]

    def _worst_only(self) -> list[_Entry]:
        best = {entry.key[1] for entry in self._best}
        return [e for e in sorted(self._worst, reverse=True) if e.key[1] not in best]

    def summary(self) -> str:
        """Return how many images are useful, in words."""
        count = len(self._scores)
        useful = sum(score >= self.threshold for score in self._scores)
        return (
            f"{useful:,} of {count:,} image{'' if count == 1 else 's'} useful "
            f"({useful / count:.1%}; utility {self.threshold:.4g} or more)"
        )

    def write(self, path: Path, judge: str) -> None:
        """Write the sheet as one HTML file.

        Args:
            path: The file.
            judge: Name of the network.
        """
        report = Report("Which images are of use to machines", f"{self.summary()}, by {judge}.")
        with TemporaryDirectory() as scratch:
            folder = Path(scratch)
            report.pictures([(self._histogram(folder / "scores.png"), "How the scores spread")])
            for title, kind, entries in (
                ("The most useful", "best", sorted(self._best, reverse=True)),
                ("The least useful", "worst", self._worst_only()),
            ):
                if not entries:
                    continue
                report.heading(title)
                pictures = []
                for k, entry in enumerate(entries):
                    write_photo(folder / f"{kind}{k}.jpg", entry.image, quality=85)
                    verdict = "useful" if entry.score >= self.threshold else "not useful"
                    caption = f"{entry.score:.4f} {verdict}: {entry.name}"
                    pictures.append((folder / f"{kind}{k}.jpg", caption))
                report.pictures(pictures)
            report.write(path)

    def _histogram(self, path: Path) -> Path:
        figure, (axes,) = new_figure(7.5, 2.8, 1)
        axes.hist(self._scores, bins=np.linspace(0, 1, 41), color="#4c78a8")
        axes.axvline(self.threshold, color="#d1495b", label=f"threshold {self.threshold:.3g}")
        axes.set(xlabel="utility", ylabel="images", xlim=(0, 1))
        axes.legend(frameon=False)
        return save_figure(figure, path)


@dataclass(frozen=True, order=True)
class _Entry:
    """One image; the greater key stays, and a key is never there twice."""

    key: tuple[float, int]
    name: str
    score: float
    image: Photo = field(compare=False)


def thumbnail(image: Photo, side_px: int) -> Photo:
    """Return a copy no larger than ``side_px`` on its longer side; small ones as they are."""
    from PIL import Image

    height, width = image.shape[:2]
    scale = min(1.0, side_px / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return image.copy()  # the large array it may be a view of can go
    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))


def with_caption(image: Photo, text: str, *, good: bool) -> Photo:
    """Return a picture below a green or red strip with a text; narrow ones get a margin."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = image.shape[:2]
    size = max(14, height // 24)
    font = ImageFont.load_default(size)
    text_width = int(font.getlength(text)) + size
    drawn = Image.new("RGB", (max(width, text_width), height + 2 * size), _GREEN if good else _RED)
    drawn.paste(Image.fromarray(np.ascontiguousarray(image)), (0, 2 * size))
    ImageDraw.Draw(drawn).text((size // 2, size), text, fill="white", font=font, anchor="lm")
    return np.asarray(drawn)
