"""Localisation as a machine: a distorted photo is of use where the map still finds its pose.

The definition of the paper (Khan et al. 2022, Sec. III) at a third task. The machine is the map:
SIFT matched to its points, then PnP (:class:`sightline.reconstruction.refine.Refiner`), without a
network's proposal. Its outcome is right within a radius of the true pose. Its confidence grows with
the inliers, ``1 - exp(-inliers / 40)``; it is 0 where there is no pose, or a wrong one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.utility_splits import draw_splits
from sightline.errors import InputError, MediaError
from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle_deg
from sightline.media.distortions import Distortion, encoded
from sightline.media.photo import list_photos, read_photo
from sightline.records import Place, PosedFrame, read_poses_csv
from sightline.records.files import digest, digest_files, write_json
from sightline.records.utility import (
    MachineLabel,
    PristineImage,
    PristineSet,
    Thresholds,
    UtilityItem,
)
from sightline.records.utility_files import (
    LabelsCounted,
    LabelsHeader,
    MachineRecord,
    write_labels,
)
from sightline.tasks.utility.definition import full_reference_utility

if TYPE_CHECKING:
    from sightline.reconstruction.refine import Refiner

Progress = Callable[[str, float], None]

MACHINE = "localization"

#: A pose within both is right: the finest of the three bounds by which outdoor localisation is
#: usually scored (Sattler et al. 2018), and the bound of the demo's report. Indoors it is an
#: arm's length: enough to know the door one stands at, and 6 times the map's own error.
RADIUS_M, RADIUS_DEG = 0.25, 2.0

#: Inliers by which that confidence is scaled.
_INLIER_SCALE = 40.0

#: Frames of a walk that follow each other show the same walls: so many are one source.
FRAMES_A_SOURCE = 10

PRISTINE = Distortion("none")

#: Where answers are kept in a folder of labels.
PREDICTIONS = "predictions"


@dataclass(frozen=True, eq=False)
class PosedPhotos:
    """Undistorted photos and where they were truly taken.

    Attributes:
        name: As tables show it.
        root: Folder that the frames' names are relative to.
        frames: In the order they were taken, each with its true ``world_from_cam`` in the place's
            world. Where a frame has none, what the map says of the pristine photo is the truth.
    """

    name: str
    root: Path
    frames: tuple[PosedFrame, ...]

    @classmethod
    def of_place(cls, place: Place) -> PosedPhotos:
        """Return a place's own frames; where the map puts them counts as the truth."""
        return cls(place.name, place.images_dir, tuple(place.registered()))

    @classmethod
    def of_walk(cls, folder: Path) -> PosedPhotos:
        """Return the photos of a folder with ``poses.csv`` and ``images/`` (a rendered walk's).

        Raises:
            InputError: There is no such file, or it does not read.
        """
        frames = tuple(read_poses_csv(folder / "poses.csv"))
        return cls(folder.resolve().name, folder / "images", frames)

    @classmethod
    def of_folder(cls, folder: Path) -> PosedPhotos:
        """Return the photos of a folder, whose poses nobody knows.

        Raises:
            MediaError: There is none.
        """
        frames = tuple(PosedFrame(p.name, None, None) for p in list_photos(folder))
        return cls(folder.resolve().name, folder, frames)

    @property
    def pristine(self) -> PristineSet:
        """The photos as a set; frames of a walk that follow each other are one source."""
        images = tuple(
            PristineImage(Path(f.image), source=f"{self.name}#{i // FRAMES_A_SOURCE}")
            for i, f in enumerate(self.frames)
        )
        return PristineSet(self.name, self.root, images)

    @property
    def truth(self) -> str:
        """``data``, or ``pristine predictions`` where some photos have no pose."""
        posed = all(f.world_from_cam is not None for f in self.frames)
        return "data" if posed else "pristine predictions"


@dataclass(frozen=True)
class Answer:
    """What the map says of one distorted photo.

    Attributes:
        inliers: Map points that agree with the pose; 0 where there is none.
        off_m: Distance to the true centre in metres; NaN where there is no pose.
        off_deg: Angle to the true rotation; NaN where there is no pose.
        bytes: Size of the distorted file.
    """

    inliers: int
    off_m: float
    off_deg: float
    bytes: int = 0

    def within(self, radius_m: float, radius_deg: float) -> bool:
        """Return whether the photo is localised within a radius of the truth."""
        return self.off_m <= radius_m and self.off_deg <= radius_deg

    def confidence(self, radius_m: float, radius_deg: float) -> float:
        """Return the confidence in the true outcome: 0 for a pose outside the radius."""
        if not self.within(radius_m, radius_deg):
            return 0.0
        return 1.0 - math.exp(-self.inliers / _INLIER_SCALE)


def localization_label(
    distorted: Answer, pristine: Answer, radius_m: float = RADIUS_M, radius_deg: float = RADIUS_DEG
) -> MachineLabel:
    """Return 1 where a distorted photo is localised within the radius, else 0.

    None where already the pristine photo is not: then the photo fails, not the distortion.
    """
    reference = pristine.confidence(radius_m, radius_deg)
    confidence = distorted.confidence(radius_m, radius_deg)
    if not pristine.within(radius_m, radius_deg):
        return MachineLabel(None, reference, confidence, float("nan"))
    # The fewest inliers that a Refiner believes are the recognition threshold of Eq. 2.
    value = float(full_reference_utility(confidence, reference, recognition_threshold()))
    return MachineLabel(int(distorted.within(radius_m, radius_deg)), reference, confidence, value)


def recognition_threshold() -> float:
    """Return the confidence of the weakest pose that the map believes."""
    from sightline.reconstruction.refine import RefineConfig

    return 1.0 - math.exp(-RefineConfig().min_inliers / _INLIER_SCALE)


class MapMachine:
    """A place's map as the machine that labels.

    Args:
        place: With a reconstruction in metres.

    Raises:
        PlaceError: It has no reconstruction.
        InputError: Its scale is not known: a radius in metres means nothing then.
    """

    def __init__(self, place: Place) -> None:
        from sightline.reconstruction.refine import Refiner

        if place.unit != "m":
            raise InputError(
                f"a place in metres is wanted for a radius in metres, {place.root} has no scale; "
                "give it one with `sightline align`"
            )
        self.place = place
        self._refiner = Refiner.open(place)
        self._world_from_map = place.world_from_map
        model = digest_files(sorted(place.model_dir.glob("*.bin")))
        self.digest = digest(
            "localization-1", model, place.content.get("features", {}), self._refiner.config
        )

    def without(self, frame: str) -> Refiner:
        """Return what localises in the map without one of its frames (itself where it is none)."""
        from sightline.reconstruction.refine import Refiner

        if frame not in self._refiner.index.names:
            return self._refiner
        return Refiner.open(self.place, {frame})

    def pose(self, said: Mapping[str, Any]) -> Pose | None:
        """Return the world_from_cam that the map said of a photo."""
        if said["pose"] is None:
            return None
        values = np.asarray(said["pose"], dtype=np.float64)
        return self._world_from_map.apply_pose(Pose(values[:4], values[4:]))

    def answer(self, said: Mapping[str, Any], true: Pose | None) -> Answer:
        """Return how far what the map said of a photo is from the true world_from_cam."""
        found = self.pose(said)
        if found is None or true is None:
            return Answer(0, math.nan, math.nan, said["bytes"])
        off_m = float(np.linalg.norm(found.translation - true.translation))
        off_deg = float(rotation_angle_deg(found.q_wxyz, true.q_wxyz))
        return Answer(said["inliers"], off_m, off_deg, said["bytes"])


def write_localization_labels(
    place: Place,
    photos: PosedPhotos,
    out: Path,
    distortions: Sequence[Distortion],
    progress: Progress = lambda _stage, _fraction: None,
    radius_m: float = RADIUS_M,
    radius_deg: float = RADIUS_DEG,
) -> LabelsCounted:
    """Write a folder of labels: each photo with each distortion, localised in a place's map.

    Photos that are frames of the map are localised in the map without them. What the map said is
    kept in ``predictions/``, by photo: a call that was stopped goes on, and one with more
    distortions or another radius asks only what is new.

    Photos taken one after the other are one source and fall into one split, drawn by a hash; the
    splits of the frames themselves (mod3) would put neighbours into different parts.

    Args:
        place: With a map in metres.
        photos: Undistorted, with true poses.
        out: The folder of labels.
        distortions: What is done to each photo; the pristine photo is always asked too.
        progress: Called with a text and the fraction done.
        radius_m: Largest distance of a right pose from the true one.
        radius_deg: Largest angle between them.

    Raises:
        InputError: No photo or no distortion, an unknown scale.
        PlaceError: The place has no map.
        MediaError: No photo can be read.
    """
    wanted = tuple(dict.fromkeys(distortions))
    if not photos.frames or not wanted:
        raise InputError(
            f"photos and distortions are wanted, {len(photos.frames)} and {len(wanted)} came"
        )
    machine = MapMachine(place)
    pristine = draw_splits(photos.pristine)
    items: list[UtilityItem] = []
    unread: list[str] = []
    for index, (frame, image) in enumerate(zip(photos.frames, pristine.images, strict=True)):
        progress(f"localising {frame.image}", index / len(photos.frames))
        try:
            asked = ask(machine, photos.root, frame, wanted, out / PREDICTIONS)
        except MediaError as error:
            unread.append(str(error))
            continue
        items += _items_of(image, asked, (radius_m, radius_deg))
    if not items:
        raise MediaError(unread[0])
    header = LabelsHeader(
        name=f"{photos.name} in {place.name}",
        images_root=photos.root,
        task="localization",
        operator="common",
        machines=(MachineRecord(MACHINE, "localization", machine.digest),),
        thresholds=Thresholds(recognition=recognition_threshold()),
        distortions=wanted,
        truth=photos.truth,
        images=len(photos.frames),
        left_out=(("cannot be read", len(unread)),) if unread else (),
        notes=(f"of use: localised within {radius_m:g} m and {radius_deg:g} degrees", *unread),
    )
    return write_labels(out, header, items)


@dataclass(frozen=True)
class Asked:
    """What the map said of one photo.

    Attributes:
        seed: Of the distortions' random numbers.
        pristine: Of the photo itself.
        distorted: Of each distorted copy.
    """

    seed: int
    pristine: Answer
    distorted: dict[Distortion, Answer]


def ask(
    machine: MapMachine,
    root: Path,
    frame: PosedFrame,
    distortions: Sequence[Distortion],
    kept: Path | None = None,
) -> Asked:
    """Return what a map says of a photo and of its distorted copies.

    Where the true pose is not known, that of the pristine photo is taken for true.

    Args:
        machine: The map.
        root: Folder of the photo.
        frame: The photo, with its true pose where it is known.
        distortions: What is done to it.
        kept: Folder of answers kept from call to call; None keeps none.

    Raises:
        MediaError: The photo cannot be read.
    """
    path = root / frame.image
    image = read_photo(path)
    content = digest_files([path], names=False)
    seed = int(content[:7], 16)  # the same copies of a photo wherever it lies
    without = frame.image if root.resolve() == machine.place.images_dir.resolve() else ""
    file = kept and kept / digest(machine.digest, without) / f"{content}.json"
    said: dict[str, Any] = {}
    if file is not None and file.is_file():
        said = json.loads(file.read_text(encoding="utf-8"))
    wanted = dict.fromkeys([PRISTINE, *distortions])
    missing = [d for d in wanted if str(d) not in said]
    if missing:
        refiner = machine.without(without)
        said |= {str(d): _say(refiner, path, image, d, seed) for d in missing}
        if file is not None:
            write_json(file, said)
    true = frame.world_from_cam
    if true is None:
        true = machine.pose(said[str(PRISTINE)])
    answers = {d: machine.answer(said[str(d)], true) for d in wanted}
    return Asked(seed, answers[PRISTINE], {d: answers[d] for d in distortions})


def _say(
    refiner: Refiner, path: Path, image: NDArray[np.uint8], distortion: Distortion, seed: int
) -> dict[str, Any]:
    """Return where the map puts a distorted photo (in its own frame), for a file."""
    from sightline.reconstruction.refine import camera_for_photo

    pixels, content = encoded(image, distortion, seed)
    height, width = pixels.shape[:2]
    # As a localiser would take it: only EXIF could tell of another lens.
    camera = camera_for_photo(refiner.index.camera, width, height, None)
    found = refiner.refine(pixels, camera)
    pose = found.map_from_cam
    return {
        "pose": None if pose is None else [*pose.q_wxyz.tolist(), *pose.translation.tolist()],
        "inliers": found.inliers,
        "bytes": len(content),
    }


def _items_of(image: PristineImage, asked: Asked, radius: tuple[float, float]) -> list[UtilityItem]:
    items = []
    for distortion, answer in asked.distorted.items():
        label = localization_label(answer, asked.pristine, *radius)
        items.append(
            UtilityItem(
                image=image.image,
                distortion=distortion,
                seed=asked.seed,
                augmented=0,
                split=image.split,
                source=image.source,
                bytes=answer.bytes,
                utility=label.utility,
                machines=(label,),
            )
        )
    return items
