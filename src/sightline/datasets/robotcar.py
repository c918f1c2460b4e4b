"""Oxford RobotCar (Maddern et al. 2017), as MapNet uses it: the centre stereo camera and the INS.

``SEQUENCE/stereo/centre/TIMESTAMP.png`` (microseconds; raw Bayer pictures), or developed pictures
in ``stereo/centre_processed``; ``SEQUENCE/gps/ins.csv``: northing, easting, down in metres and
roll, pitch, yaw of the INS, whose axes point forwards, right and down. The world here is easting,
northing, up, counted from ``origin`` in ``place.toml``.

Poses are interpolated at the pictures' times. (Versions of the dataset's own script divide without
remainder there, and so take the record before.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.media.photo import write_photo
from sightline.records import Place, PosedFrame
from sightline.records.csv_rows import cell_number, csv_rows
from sightline.records.posed_images import place_from_frames

#: MapNet's scenes: sequences of the training and of the test part (Brahmbhatt et al. 2018).
SCENES: dict[str, dict[str, tuple[str, ...]]] = {
    "loop": {
        "train": ("2014-06-26-08-53-56", "2014-06-26-09-24-58"),
        "test": ("2014-06-23-15-36-04", "2014-06-23-15-41-25"),
    },
    "full": {
        "train": ("2014-11-28-12-07-13", "2014-12-02-15-30-08"),
        "test": ("2014-12-09-13-21-02",),
    },
}
#: Where the records of the INS are further apart, a picture between them has no pose.
MAX_GAP_S = 0.5

_INS_COLUMNS = (
    "timestamp", "ins_status", "latitude", "longitude", "altitude", "northing", "easting", "down",
    "utm_zone", "velocity_north", "velocity_east", "velocity_down", "roll", "pitch", "yaw",
)  # fmt: skip
_POSE_COLUMNS = ("northing", "easting", "down", "roll", "pitch", "yaw")
_VO_TIMES = ("source_timestamp", "destination_timestamp")
_VO_COLUMNS = ("x", "y", "z", "roll", "pitch", "yaw")
#: East, north, up from north, east, down.
_ENU_FROM_NED = Pose.from_matrix(np.c_[[[0, 1, 0], [1, 0, 0], [0, 0, -1]], np.zeros(3)])
#: The car's axes (forwards, right, down) from a camera's (right, down, forwards).
_BODY_FROM_CAM = Pose.from_matrix(np.c_[[[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.zeros(3)])


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses over time.

    Attributes:
        times_us: (N,) int64 microseconds, ascending.
        world_from_body: (N,) poses of the INS, or of the car.
    """

    times_us: NDArray[np.int64]
    world_from_body: Pose

    def at(self, times_us: NDArray[np.int64]) -> list[Pose | None]:
        """Return the poses at other times, between two records no further apart than MAX_GAP_S.

        Positions are interpolated on the line, rotations on the great circle.
        """
        after = np.searchsorted(self.times_us, times_us, side="left")
        inside = (after < len(self.times_us)) & (times_us >= self.times_us[0])
        after = np.clip(after, 1, len(self.times_us) - 1)
        before = after - 1
        gaps = self.times_us[after] - self.times_us[before]
        # A picture at the very time of a record needs no other one.
        exact = (times_us == self.times_us[after]) | (times_us == self.times_us[before])
        inside &= (gaps <= MAX_GAP_S * 1e6) | exact
        share = np.clip((times_us - self.times_us[before]) / gaps, 0.0, 1.0)[:, None]
        centres = self.world_from_body.translation
        moved = (1 - share) * centres[before] + share * centres[after]
        seconds = (self.times_us - self.times_us[0]) / 1e6
        wanted = np.clip((times_us - self.times_us[0]) / 1e6, 0.0, seconds[-1])
        turned = Slerp(seconds, self.world_from_body.rotation)(wanted)
        poses = Pose.from_rotation(turned, moved)
        return [poses[i] if inside[i] else None for i in range(len(times_us))]


def read_ins(path: Path) -> Trajectory:
    """Return the INS's trajectory in the world of easting, northing and up.

    Args:
        path: ``ins.csv`` or ``rtk.csv``.

    Raises:
        InputError: The file is missing, has other columns, fewer than two records or times that
            do not ascend; the message names the line.
    """
    times, numbers = _read_csv(path, ("timestamp",), _POSE_COLUMNS, _INS_COLUMNS)
    ned_from_ins = _poses(numbers)
    return Trajectory(times[:, 0], _ENU_FROM_NED @ ned_from_ins)


def read_vo(path: Path) -> Trajectory:
    """Return the trajectory of a car's visual odometry, from its first record on.

    Each record is the motion between two pictures, the later one in the frame of the earlier. The
    world's axes are x to the car's right at the start, y forwards, z up.

    Raises:
        InputError: As for :func:`read_ins`, or a record does not begin where the last one ended.
    """
    times, numbers = _read_csv(path, _VO_TIMES, _VO_COLUMNS, (*_VO_TIMES, *_VO_COLUMNS))
    earlier, later = times.min(axis=1), times.max(axis=1)
    broken = np.flatnonzero(earlier[1:] != later[:-1])
    if len(broken):
        raise InputError(
            f"{path}, line {broken[0] + 3}: a motion from {later[broken[0]]} on is wanted, one "
            f"from {earlier[broken[0] + 1]} came"
        )
    step = _poses(numbers)
    chain = [Pose.identity()]
    for i in range(len(later)):
        chain.append(chain[-1] @ step[i])
    return Trajectory(np.r_[earlier[:1], later], _ENU_FROM_NED @ Pose.stack(chain))


def read_sequence(folder: Path, extrinsics: Path, split: str = "") -> list[PosedFrame]:
    """Return the frames of one sequence by time; ``image`` is relative to the folder above it.

    Args:
        folder: The sequence.
        extrinsics: Folder of the dataset's ``stereo.txt`` and ``ins.txt``; where it is not there
            the poses are the INS's own place, turned into the camera's axes.
        split: What the frames are for.

    Raises:
        InputError: There is no picture or no trajectory, or a file does not read.
    """
    images = _images(folder)
    times_us = np.array(sorted(images), dtype=np.int64)
    ins = next((p for n in ("ins", "rtk") if (p := folder / "gps" / f"{n}.csv").is_file()), None)
    vo = folder / "vo" / "vo.csv"
    if ins is None and not vo.is_file():
        raise InputError(f"{folder / 'gps' / 'ins.csv'} is wanted, or {vo}; there is neither")
    trajectory = read_ins(ins) if ins else read_vo(vo)
    body_from_cam = _body_from_cam(extrinsics, ins is not None)
    return [
        PosedFrame(
            images[int(time)].relative_to(folder.parent).as_posix(),
            int(time) / 1e6,
            None if pose is None else pose @ body_from_cam,
            split,
        )
        for time, pose in zip(times_us, trajectory.at(times_us), strict=True)
    ]


def make_place(
    source: str | Path,
    root: str | Path,
    *,
    link: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> Place:
    """Return a place made of several sequences with their split, or of one without, in metres.

    Raw pictures are developed (bilinear demosaicing; the lens's distortion stays).

    Args:
        source: A folder of sequences with ``train_split.txt`` and ``test_split.txt``, or with
            those of MapNet's loop or full; or one sequence.
        root: Folder of the place.
        link: Make symbolic links to the images instead of copies.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: A sequence is not complete, a list is missing, or raw pictures are to be
            linked.
        PlaceError: ``root`` holds other things.
    """
    source = Path(source)
    alone = (source / "stereo").is_dir()
    parts = {"": [source.name]} if alone else read_parts(source)
    base = source.parent if alone else source
    sequences = [
        read_sequence(base / sequence, source / "extrinsics", split)
        for split, names in parts.items()
        for sequence in names
    ]
    # Sequences are prepared one by one: some may be raw, others developed.
    raw = [frames for frames in sequences if _is_raw(base / frames[0].image)]
    if raw and link:
        raise InputError(
            f"{base / raw[0][0].image}: raw pictures cannot be linked, they are developed; leave "
            "out --link, or put developed ones into stereo/centre_processed"
        )
    frames, origin = _from_origin([frame for frames in sequences for frame in frames])
    place = place_from_frames(
        root,
        frames,
        base,
        unit="m",
        source=source,
        develop={frame.image: _develop for frames in raw for frame in frames},
        link=link,
        progress=progress,
    )
    place.update(origin=origin)
    return place


def read_parts(source: Path) -> dict[str, list[str]]:
    """Return the sequences of the training and of the test part.

    Raises:
        InputError: There are neither lists nor the sequences of one of MapNet's scenes, or a
            sequence is in both parts.
    """
    lists = {split: source / f"{split}_split.txt" for split in ("train", "test")}
    if not all(path.is_file() for path in lists.values()):
        for scene in SCENES.values():
            if all((source / name).is_dir() for part in scene.values() for name in part):
                return {split: list(names) for split, names in scene.items()}
        raise InputError(
            f"{source}: train_split.txt and test_split.txt with names of sequences are wanted, or "
            f"the sequences of MapNet's {' or '.join(SCENES)}; give one sequence to take it alone"
        )
    parts = {}
    for split, path in lists.items():
        lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
        parts[split] = [line for line in lines if line and not line.startswith("#")]
        if not parts[split]:
            raise InputError(f"{path}: names of sequences are wanted, the file has none")
    both = set(parts["train"]) & set(parts["test"])
    if both:
        raise InputError(f"{source}: {min(both)} is in the training and in the test split")
    return parts


def _images(folder: Path) -> dict[int, Path]:
    """Return the pictures of a sequence by their time in microseconds."""
    tried = [folder / "stereo" / name for name in ("centre_processed", "centre")]
    for pictures in tried:
        found = [p for p in sorted(pictures.glob("*")) if p.suffix in (".png", ".jpg")]
        named = {int(p.stem): p for p in found if p.stem.isdecimal()}
        if named:
            return named
    raise InputError(f"{tried[-1]}/TIMESTAMP.png files are wanted, none is there")


def _read_csv(
    path: Path, times: tuple[str, ...], numbers: tuple[str, ...], columns: tuple[str, ...]
) -> tuple[NDArray[np.int64], Array]:
    """Return (N, T) times in microseconds, ascending, and (N, C) numbers of a CSV file."""
    stamps: list[list[int]] = []
    rows: list[list[float]] = []
    for line, row in csv_rows(path, (*times, *numbers), columns):
        try:
            stamp = [int(row[name]) for name in times]
            rows.append([_number(row, name) for name in numbers])
        except ValueError as error:
            raise InputError(f"{path}, line {line}: {error}") from error
        if stamps and stamp[0] <= stamps[-1][0]:
            raise InputError(
                f"{path}, line {line}: times that ascend are wanted, {stamp[0]} came after "
                f"{stamps[-1][0]}"
            )
        stamps.append(stamp)
    if len(rows) < 2:
        raise InputError(f"{path}: two records or more are wanted, there are {len(rows)}")
    return np.array(stamps, dtype=np.int64), np.array(rows)


def _number(row: Mapping[str, str], name: str) -> float:
    value = cell_number(row, name)
    if value is None:
        raise ValueError(f"a number is wanted in {name}, the cell is empty")
    return value


def _poses(xyzrpy: Array) -> Pose:
    """Return the poses of (N, 6) positions and roll, pitch, yaw: R = Rz(yaw) Ry(pitch) Rx(roll)."""
    return Pose.from_rotation(Rotation.from_euler("ZYX", xyzrpy[:, 5:2:-1]), xyzrpy[:, :3])


def _body_from_cam(extrinsics: Path, ins: bool) -> Pose:
    """Return where the centre camera is in the INS's frame, or in the car's (odometry)."""
    stereo = extrinsics / "stereo.txt"
    if not stereo.is_file():
        return _BODY_FROM_CAM
    camera_from_body = _extrinsic(stereo)
    if ins:
        camera_from_body = camera_from_body @ _extrinsic(extrinsics / "ins.txt")
    return camera_from_body.inverse() @ _BODY_FROM_CAM


def _extrinsic(path: Path) -> Pose:
    try:
        numbers = np.array([float(cell) for cell in path.read_text(encoding="utf-8-sig").split()])
    except (FileNotFoundError, ValueError) as error:
        raise InputError(
            f"{path}: six numbers x y z roll pitch yaw are wanted ({error})"
        ) from error
    if numbers.shape != (6,) or not np.isfinite(numbers).all():
        raise InputError(
            f"{path}: six numbers x y z roll pitch yaw are wanted, {numbers.size} came"
        )
    return _poses(numbers[None])[0]


def _from_origin(frames: list[PosedFrame]) -> tuple[list[PosedFrame], list[float]]:
    """Return the frames counted from the whole metre nearest to the first one, and that origin.

    Grid coordinates are millions of metres, where float32 has steps of half a metre.
    """
    first = next((f.world_from_cam for f in frames if f.world_from_cam is not None), None)
    if first is None:
        raise InputError(f"{frames[0].image}: no picture has a pose; are its times the INS's?")
    origin = np.round(first.translation)
    return [
        frame.with_pose(
            None
            if frame.world_from_cam is None
            else Pose(frame.world_from_cam.q_wxyz, frame.world_from_cam.translation - origin)
        )
        for frame in frames
    ], origin.tolist()


def _is_raw(picture: Path) -> bool:
    """Return whether a picture is as the sensor gave it: one channel, one colour a pixel."""
    from PIL import Image

    try:
        with Image.open(picture) as image:
            return picture.parent.name == "centre" and image.mode == "L"
    except OSError as error:
        raise InputError(f"{picture}: a picture is wanted ({error})") from error


def _develop(raw: Path, destination: Path) -> None:
    """Write a raw picture (Bayer GBRG) in colour."""
    import cv2
    from PIL import Image

    try:
        with Image.open(raw) as image:
            mosaic = np.array(image.convert("L"))
    except OSError as error:
        raise InputError(f"{raw}: a picture is wanted ({error})") from error
    colour = np.asarray(cv2.cvtColor(mosaic, cv2.COLOR_BayerGBRG2RGB), dtype=np.uint8)
    write_photo(destination, colour)
