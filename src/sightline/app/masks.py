"""Masks of a place's frames: from the user's own pictures, from a network, or from both."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sightline.errors import InputError, MediaError
from sightline.media.masks import MASK_SUFFIX, Mask, fit_mask, mask_name, read_mask, write_mask
from sightline.media.photo import photo_size, read_photo
from sightline.reconstruction.masking import MaskedFeatures
from sightline.records import Place
from sightline.records.files import atomic_path, digest, digest_files, write_json

if TYPE_CHECKING:
    from sightline.learning.mask_finders import MaskFinder

Progress = Callable[[str, float], None]

#: In ``masks/``, beside the masks: says that they are ours, and what they were made of.
MASKS_JSON = "masks.json"


@dataclass(frozen=True)
class MasksConfig:
    """What of the frames is ignored.

    Attributes:
        given: A folder of masks, one a frame, or one mask for all; black is ignored.
        classes: What a network looks for, such as ``person``.
        weights: The network, as :func:`sightline.learning.mask_finders.open_mask_finder` takes it.
    """

    given: Path | None = None
    classes: tuple[str, ...] = ()
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.classes and not self.weights:
            raise InputError(
                f"a network that finds {', '.join(self.classes)} is wanted: pass --mask-weights "
                "FILE.onnx (NanoDet) or a name of torchvision, such as deeplabv3_mobilenet_v3_large"
            )
        if self.weights and not self.classes:
            raise InputError(
                "names of what to mask are wanted beside --mask-weights, such as "
                "`--mask-classes person,car`"
            )

    @property
    def wanted(self) -> bool:
        """Whether anything is to be ignored."""
        return self.given is not None or bool(self.classes)


@dataclass(frozen=True)
class MasksReport:
    """What was masked; ``masks/masks.json`` is the same.

    Attributes:
        made_of: In words.
        shares: Frame name -> share of its pixels that are ignored.
        without: Frames that no mask was given for; all of them counts.
        refused: Given mask -> why it could not be used; its frame counts whole.
    """

    made_of: str
    shares: dict[str, float]
    without: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, masks_dir: Path) -> MasksReport:
        """Return what a place's masks say of themselves."""
        return cls(**json.loads((masks_dir / MASKS_JSON).read_text(encoding="utf-8")))

    @property
    def masked_share(self) -> float:
        """Mean share of the pixels that are ignored."""
        return sum(self.shares.values()) / max(1, len(self.shares))


def make_masks(place: Place, config: MasksConfig, progress: Progress) -> Path | None:
    """Return the folder with a mask for each frame of a place; None where none are wanted.

    A run that was stopped goes on; frames whose masks are made are not looked at again. Recordings
    that were added since the build had theirs then.

    Args:
        place: Has its frames.
        config: What is ignored.
        progress: Called with (stage text, fraction 0..1).

    Raises:
        InputError: There is no mask for any frame, or none that can be used.
        CatalogError: The network or a class is not known.
        WeightsError: The network cannot be had.
        PlaceError: Other masks would make the map anew, to which recordings were added.
    """
    if not config.wanted:
        if "masks" in place.content:
            if place.added:
                place.refuse_anew("masks")
            place.update(masks=None)
        return None
    _refuse_foreign(place, config.given)
    names = [frame.image for frame in place.walks()[0]]
    given = _given_masks(place, config.given, names)
    finder = _open_finder(config)
    contents = {path: digest_files([path], names=False) for path in set((given or {}).values())}
    key = digest(
        "masks-1",
        digest_files(place.images_dir / name for name in names),
        None if given is None else {name: contents[path] for name, path in given.items()},
        None if finder is None else finder.digest,
    )
    if place.added and place.content.get("stages", {}).get("masks") != key:
        place.refuse_anew("masks")
    maker = _Maker(place, given, finder, _in_words(config, finder), progress)
    place.stage("masks", key, [place.masks_dir], lambda: maker.run(names, key))
    table = {"made_of": maker.made_of}
    if place.content.get("masks") != table:
        place.update(masks=table)
    return place.masks_dir


def describe_masks(place: Place) -> str:
    """Return in words what a place's masks took away; nothing where it was built without."""
    if "masks" not in place.content:
        return ""
    report = MasksReport.read(place.masks_dir)
    features = MaskedFeatures.read(place.reconstruction_dir)
    dropped = "" if features is None else f", {features.dropped_share:.1%} of the features dropped"
    lines = [f"masks ({report.made_of}): {report.masked_share:.1%} of the pixels ignored{dropped}"]
    if report.without:
        shown = ", ".join(report.without[:5]) + (" ..." if len(report.without) > 5 else "")
        lines.append(f"  {len(report.without)} frames have no mask: {shown}")
    for name, reason in list(report.refused.items())[:5]:
        lines.append(f"  {name} is not used: {reason}")
    if len(report.refused) > 5:
        lines.append(f"  {len(report.refused) - 5} more are not used ({MASKS_JSON} names all)")
    return "\n".join(lines)


@dataclass(frozen=True)
class _Maker:
    """Makes the masks of all frames, one file after the other."""

    place: Place
    given: dict[str, Path] | None
    finder: MaskFinder | None
    made_of: str
    progress: Progress

    def run(self, names: Sequence[str], key: str) -> None:
        begun = self.place.root / f".masks.{key}.part"
        for left in self.place.root.glob(".masks.*"):
            if left != begun:  # of a run with other frames or other masks
                shutil.rmtree(left)
        begun.mkdir(exist_ok=True)
        shares: dict[str, float] = {}
        without: list[str] = []
        refused: dict[str, str] = {}
        for done, name in enumerate(names):
            path = begun / mask_name(name)
            size = photo_size(self.place.images_dir / name)
            try:
                counts = self._given_mask(name, *size)
            except (InputError, MediaError) as error:
                counts = None
                refused[self._called(name)] = str(error)
            if self.given is not None and name not in self.given:
                without.append(name)
            if not path.is_file():
                with atomic_path(path) as temporary:
                    write_mask(temporary, self._counting(name, counts, *size))
            shares[name] = round(1.0 - float(read_mask(path).mean()), 6)
            self.progress("making masks", (done + 1) / len(names))
        self._refuse_none_used(names, without, refused)
        report = MasksReport(self.made_of, shares, without, refused)
        write_json(begun / MASKS_JSON, asdict(report))
        with atomic_path(self.place.masks_dir) as temporary:
            begun.rename(temporary)

    def _called(self, name: str) -> str:
        """Return what messages call a frame's given mask; one that serves all names the frame."""
        given = self.given or {}
        alone = list(given.values()).count(given[name]) == 1
        return given[name].name if alone else f"{given[name].name} on {name}"

    def _given_mask(self, name: str, width: int, height: int) -> Mask | None:
        if self.given is None or name not in self.given:
            return None
        return fit_mask(read_mask(self.given[name]), width, height)

    def _counting(self, name: str, given: Mask | None, width: int, height: int) -> Mask:
        counts = np.ones((height, width), dtype=bool) if given is None else given.copy()
        if self.finder is not None:
            counts &= ~self.finder.find(read_photo(self.place.images_dir / name))
        return counts

    def _refuse_none_used(
        self, names: Sequence[str], without: list[str], refused: dict[str, str]
    ) -> None:
        if self.given is None or len(without) + len(refused) < len(names):
            return
        path, reason = next(iter(refused.items()))
        raise InputError(f"masks that fit the frames are wanted, none does; {path}: {reason}")


def _refuse_foreign(place: Place, given: Path | None) -> None:
    """Keep what the user has laid into ``masks/``: it is the build's own."""
    ours = place.masks_dir
    if given is not None and ours.resolve() in (given.resolve(), *given.resolve().parents):
        raise InputError(
            f"masks in a folder outside the place are wanted, {given} came; {ours} is where "
            "the build keeps its own (nothing was changed)"
        )
    if ours.exists() and not (ours / MASKS_JSON).is_file():
        raise InputError(
            f"{ours} holds files that no build made; move them to a folder of your own and pass "
            "it as --masks (nothing was changed)"
        )


def _given_masks(place: Place, given: Path | None, names: Sequence[str]) -> dict[str, Path] | None:
    """Return frame name -> the user's mask, for the frames that have one; None: none are given.

    Raises:
        InputError: There is no such file or folder, or no mask for any frame.
    """
    if given is None:
        return None
    if given.is_file():
        return dict.fromkeys(names, given)
    if not given.is_dir():
        raise InputError(f"a folder of masks, or one mask, is wanted for --masks; {given} is not")
    there = {p.name: p for p in given.iterdir() if p.suffix.lower() == MASK_SUFFIX}
    # Photos have the user's own names; the frames' are known only once the place is built.
    # Where masks go by both, those are meant that more frames have; the photos' own first.
    by_photo, by_frame = (
        {name: mask for name in names if (mask := _mask_of(known_as.get(name), there))}
        for known_as in (_sources(place), {name: name for name in names})
    )
    found = by_photo if len(by_photo) >= len(by_frame) else by_frame
    if found:
        return found
    raise InputError(
        f"masks named as the frames are wanted in {given}, such as {mask_name(names[0])}; "
        f"{len(there)} other PNG files are there"
    )


def _mask_of(name: str | None, there: dict[str, Path]) -> Path | None:
    if name is None:
        return None
    return there.get(mask_name(name)) or there.get(Path(name).stem + MASK_SUFFIX)


def _sources(place: Place) -> dict[str, str]:
    """Return frame name -> the photo it was made of, for a place of photos."""
    path = place.root / "sources.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["image"]: row["source"] for row in csv.DictReader(stream)}


def _open_finder(config: MasksConfig) -> MaskFinder | None:
    if not config.weights:
        return None
    from sightline.learning.mask_finders import open_mask_finder

    return open_mask_finder(config.weights, config.classes)


def _in_words(config: MasksConfig, finder: MaskFinder | None) -> str:
    parts = [config.given.name] if config.given is not None else []
    if finder is not None:
        parts.append(f"{', '.join(config.classes)} by {finder.name}")
    return " and ".join(parts)
