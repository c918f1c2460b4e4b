"""The lowest picture quality at which a machine keeps its answers on the user's own images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import InputError
from sightline.tasks.utility.intervals import images_to_show, saved_share
from sightline.tasks.utility.machines.machine import Machine
from sightline.tasks.utility.quality_trial import Changed, Format, Progress, QualityPoint, Trial

LOWEST, HIGHEST = 1, 100

#: Agreement need not fall with quality: so many qualities above the one that bisection finds must
#: keep the answers too.
AHEAD = 3


def lowest_quality(
    kept: Callable[[int], bool], low: int = LOWEST, high: int = HIGHEST, ahead: int = AHEAD
) -> int | None:
    """Return the lowest quality from which on the answers are kept; None where not even at the top.

    Bisection first, as if a higher quality always kept more. Then the next few qualities above
    are looked at, and where one of them fails the search goes on above it: at what comes back, at
    all qualities above that were looked at, and at ``ahead`` above at least, the answers are kept.
    A lower quality that keeps them by luck, below one that does not, is not what is sought.

    Args:
        kept: Whether the answers are kept at a quality; asked once a quality, whatever it says.
        low: The lowest quality.
        high: The highest.
        ahead: How many above are looked at.
    """
    said: dict[int, bool] = {}

    def good(quality: int) -> bool:
        if quality not in said:
            said[quality] = kept(quality)
        return said[quality]

    if not good(high):
        return None
    below, found = low - 1, high  # one fails (or is no quality), one is good
    while found - below > 1:
        middle = (below + found) // 2
        if good(middle):
            found = middle
        else:
            below = middle
    while True:
        looked = range(found, min(found + ahead, high) + 1)
        failed = [quality for quality in looked if not good(quality)]
        if not failed:
            return found
        found = failed[-1] + 1


@dataclass(frozen=True)
class Recommendation:
    """What came of the search.

    Attributes:
        machine: Name of the model.
        kind: What it does.
        format: Of the compressed files.
        keep: Wanted share of kept answers.
        quality: The lowest that keeps them; None where none does.
        closest: Where none does: the lowest that keeps as many as the highest; None for a machine
            that does not agree with itself.
        images: Images that were read.
        without: Images on which a detector finds nothing; they count apart.
        things: Boxes found on the images as they are; images for a classifier.
        skipped: Images that could not be read, asked about or compressed, and why.
        points: What was tried, by quality.
        changed: At the quality of :attr:`point`.
        bytes_before: Of the files as they are.
        saved: Share of bytes saved there; negative where more come out.
        saved_interval: Its 95% interval by bootstrap over images; None for one image.
        larger: Images whose file is smaller as it is.
        saved_leaving: Share saved where these are left as they are.
        one_answer: What the machine says of each image, where it says the same of all.
        self_agreement: Where no quality keeps the answers: share of answers that are the same
            when the machine is asked about the very same pixels again; else None.
    """

    machine: str
    kind: str
    format: Format
    keep: float
    quality: int | None
    closest: int | None
    images: int
    without: int
    things: int
    skipped: tuple[tuple[Path, str], ...]
    points: tuple[QualityPoint, ...]
    changed: tuple[Changed, ...]
    bytes_before: int
    saved: float
    saved_interval: tuple[float, float] | None
    larger: int
    saved_leaving: float
    one_answer: str | None = None
    self_agreement: float | None = None

    @property
    def point(self) -> QualityPoint:
        """What the quality recommended does, or the closest, or the highest where none does."""
        wanted = next(q for q in (self.quality, self.closest, HIGHEST) if q is not None)
        return next(point for point in self.points if point.quality == wanted)

    @property
    def best(self) -> QualityPoint:
        """What the highest quality does."""
        return self.points[-1]

    @property
    def images_wanted(self) -> int | None:
        """How many images would show ``keep`` at 95% if all were kept; None: no number does."""
        return images_to_show(self.keep)

    def to_json(self) -> dict[str, Any]:
        """Return what ``sightline recommend --json`` prints."""
        point = self.point
        return {
            "model": self.machine,
            "kind": self.kind,
            "format": self.format,
            "keep": self.keep,
            "quality": self.quality,
            "closest": self.closest,
            "at_quality": point.quality,
            "images": self.images,
            "judged": point.judged,
            "kept": point.kept,
            "agreement": point.agreement,
            "agreement_interval_95": list(point.interval),
            "images_to_show_keep": self.images_wanted,
            "without_detections": self.without,
            "things": self.things,
            "things_found_again": point.found,
            "bytes_before": self.bytes_before,
            "bytes_after": point.bytes,
            "saved": self.saved,
            "saved_interval_95": None if self.saved_interval is None else list(self.saved_interval),
            "smaller_as_they_are": self.larger,
            "saved_leaving_these": self.saved_leaving,
            "self_agreement": self.self_agreement,
            "changed": [
                {"image": str(c.image), "before": c.before, "after": c.after} for c in self.changed
            ],
            "skipped": [{"image": str(path), "error": error} for path, error in self.skipped],
            "curve": [
                {
                    "quality": p.quality,
                    "kept": p.kept,
                    "agreement": p.agreement,
                    "agreement_interval_95": list(p.interval),
                    "bytes": p.bytes,
                }
                for p in self.points
            ],
        }


def recommend_quality(
    images: Sequence[Path],
    machine: Machine,
    keep: float = 0.99,
    format: Format = "jpeg",  # noqa: A002 - as the flag is called
    progress: Progress = lambda text, share: None,
) -> Recommendation:
    """Return the lowest quality at which a machine keeps its answers on images.

    A classifier's answer is kept where its likeliest class is the same; a detector's where one of
    its boxes is found again (the paper's rule, with what it finds on the image as it is for the
    truth). Every image is asked about once a quality; see :func:`lowest_quality` for the search.

    The quality is chosen on the same images that its agreement is counted on, as the first of a
    dozen or so that reaches ``keep``: other images may keep a little less. The interval is that of
    one quality.

    Args:
        images: Files, or photos in archives.
        machine: A classifier or a detector.
        keep: Share of images whose answers are to be kept, above 0 and up to 1.
        format: Of the compressed files.
        progress: Called with what is done and the share done.

    Raises:
        InputError: ``keep`` is out of range, no image could be read, or there is no answer to
            keep.
        SightlineError: The only image, itself named, cannot be judged.

    Source: Khan et al. 2022, Sec. IV, turned round: not which image is of use, but which quality.
    """
    if not 0 < keep <= 1:
        raise InputError(f"a share to keep above 0 and up to 1 is wanted, {keep:g} came (--keep)")
    if not images:
        raise InputError("an image or more is wanted, none came")
    # bisection takes seven passes; then there are the images as they are and the highest quality
    trial = Trial(machine, images, format, progress, passes=9 + AHEAD)
    quality = lowest_quality(lambda q: _enough(trial.point(q), keep))
    itself, closest = None, None
    if quality is None:
        itself = trial.self_agreement()
        most = trial.point(HIGHEST).kept
        if itself == 1 and most:
            closest = lowest_quality(lambda q: trial.point(q).kept >= most)
    at = next(q for q in (quality, closest, HIGHEST) if q is not None)
    before, after = trial.sizes(at)
    saved, interval = saved_share(before, after)
    progress("the quality is found", 1.0)
    return Recommendation(
        machine=machine.name,
        kind=machine.kind,
        format=format,
        keep=keep,
        quality=quality,
        closest=closest,
        images=len(before),
        without=trial.without(),
        things=trial.things(),
        skipped=trial.skipped(),
        points=trial.points(),
        changed=trial.changed(at),
        bytes_before=int(before.sum()),
        saved=saved,
        saved_interval=interval,
        larger=int((after > before).sum()),
        saved_leaving=saved_share(before, np.minimum(before, after))[0],
        one_answer=trial.one_answer(),
        self_agreement=itself,
    )


def _enough(point: QualityPoint, keep: float) -> bool:
    return point.kept >= keep * point.judged - 1e-9
