"""A walk round a ring of walls as a finished place: an exact map, written without mapping."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from sightline.app.alignment_files import map_digest
from sightline.geometry import Camera, Pose, Similarity
from sightline.records import Place, PosedFrame
from sightline.records.colmap import cam_from_world_rows, pixels_to_colmap
from sightline.records.splits import assign_split

#: A round has 36 frames: the last four stand where the first four stood.
FRAMES, PER_ROUND, RADIUS_M, WALL_M, STEP_S = 40, 36, 5.0, 9.0, 0.2
CAMERA = Camera("SIMPLE_PINHOLE", 160, 120, (80.0, 79.5, 59.5))
NAMES = [f"{i:04d}.png" for i in range(FRAMES)]
STAGES = ("frames", "features", "matches", "map", "loops", "poses", "split")


def ring_poses() -> Pose:
    """Return (FRAMES,) world_from_cam: round a ring, level, looking outwards; z is up."""
    angle = 2 * np.pi * np.arange(FRAMES) / PER_ROUND
    out = np.stack([np.cos(angle), np.sin(angle), np.zeros(FRAMES)], axis=1)
    down = np.tile([0.0, 0.0, -1.0], (FRAMES, 1))
    axes = np.stack([np.cross(down, out), down, out], axis=2)
    matrix = np.tile(np.eye(4), (FRAMES, 1, 1))
    matrix[:, :3, :3], matrix[:, :3, 3] = axes, RADIUS_M * out + [0.0, 0.0, 1.5]
    return Pose.from_matrix(matrix)


def picture(number: int) -> np.ndarray:
    """Return a grey picture full of blobs, as large as the camera's."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(40, 216, (30, 40)).astype(np.uint8)
    return cv2.resize(coarse, (CAMERA.width, CAMERA.height), interpolation=cv2.INTER_CUBIC)


def write_ring_place(
    root: Path,
    *,
    drift_m: float = 0.0,
    shifted_px: Mapping[int, float] | None = None,
    focal_factor: float = 1.0,
) -> Place:
    """Return a healthy place, aligned and split, or one that is ill in a known way.

    Args:
        root: Its folder.
        drift_m: From frame 20 on the map is this far off (along x), with points of its own.
        shifted_px: Frame -> pixels that its keypoints are off.
        focal_factor: The map's focal length over the true one.
    """
    place = Place.create(root, source=str(root.parent / "walk.mp4"))
    place.images_dir.mkdir()
    for i, name in enumerate(NAMES):
        cv2.imwrite(str(place.images_dir / name), picture(i))
    place.model_dir.mkdir(parents=True)
    poses = ring_poses()
    off = np.where(np.arange(FRAMES)[:, None] >= 20, [[drift_m, 0.0, 0.0]], 0.0)
    mapped = Pose(poses.q_wxyz, poses.translation + off)
    _write_map(place, poses, mapped, drift_m, shifted_px or {}, focal_factor)
    frames = [PosedFrame(name, STEP_S * i, mapped[i]) for i, name in enumerate(NAMES)]
    place.write_frames(assign_split(frames, "block"))
    report = {"models": [FRAMES], "unregistered": {}, "loops": {"closed": True, "reason": ""}}
    (place.reconstruction_dir / "doctor.json").write_text(json.dumps(report))
    place.update(
        stages=dict.fromkeys(STAGES, "0"),
        frames={"count": FRAMES, "kind": "video", "fps": 5.0},
        features={"max_image_size": 1000, "max_num_features": 1500},
        split="block",
    )
    place.set_alignment(
        Similarity.identity(), "m", method="control", up_from="control points",
        map_digest=map_digest(place), residual_rms=0.01, residuals=[],
    )  # fmt: skip
    return place


def _write_map(
    place: Place,
    true: Pose,
    mapped: Pose,
    drift_m: float,
    shifted_px: Mapping[int, float],
    focal_factor: float,
) -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 1500)
    walls = np.stack(
        [WALL_M * np.cos(angle), WALL_M * np.sin(angle), rng.uniform(0.2, 2.8, 1500)], axis=1
    )
    looks = rng.integers(0, 256, (1500, 128)).astype(np.uint8)
    copies = 2 if drift_m else 1
    points = np.concatenate([walls + np.array([c * drift_m, 0.0, 0.0]) for c in range(copies)])
    tracks: list[list[str]] = [[] for _ in points]
    quaternions, shifts = cam_from_world_rows(mapped)
    lines, features = [], []
    for i, name in enumerate(NAMES):
        seen_px = CAMERA.project(true[i].inverse().apply(walls))
        size = (CAMERA.width - 1, CAMERA.height - 1)
        rows = np.flatnonzero(((seen_px >= 0) & (seen_px <= size)).all(axis=1))
        ids = rows + (1500 if drift_m and i >= 20 else 0)
        xy = pixels_to_colmap(seen_px[rows]) + np.array([shifted_px.get(i, 0.0), 0.0])
        for k, point in enumerate(ids):
            tracks[point] += [str(i + 1), str(k)]
        numbers = " ".join(repr(float(v)) for v in (*quaternions[i], *shifts[i]))
        lines.append(f"{i + 1} {numbers} 1 {name}")
        cells = zip(xy.tolist(), ids.tolist(), strict=True)
        lines.append(" ".join(f"{x!r} {y!r} {p + 1}" for (x, y), p in cells))
        features.append(looks[rows])
    folder = place.model_dir
    params = (focal_factor * CAMERA.fx, *pixels_to_colmap([CAMERA.cx, CAMERA.cy]))
    words = " ".join(repr(float(v)) for v in params)
    (folder / "cameras.txt").write_text(
        f"1 SIMPLE_PINHOLE {CAMERA.width} {CAMERA.height} {words}\n"
    )
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    seen = [k for k, track in enumerate(tracks) if track]
    rows_3d = [
        f"{k + 1} {' '.join(repr(float(v)) for v in points[k])} 9 9 9 0.3 {' '.join(tracks[k])}"
        for k in seen
    ]
    (folder / "points3D.txt").write_text("\n".join(rows_3d) + "\n")
    write_database(place.database_path, features)


def write_database(path: Path, features: list[np.ndarray]) -> None:
    """Write what COLMAP's database holds of features, for frames in their order."""
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE images (image_id INTEGER PRIMARY KEY, name TEXT)")
        for table in ("keypoints", "descriptors"):
            db.execute(
                f"CREATE TABLE {table} (image_id INTEGER PRIMARY KEY, rows INTEGER, "
                "cols INTEGER, data BLOB)"
            )
        for i, looks in enumerate(features):
            db.execute("INSERT INTO images VALUES (?, ?)", (i + 1, NAMES[i]))
            db.execute("INSERT INTO keypoints VALUES (?, ?, 6, NULL)", (i + 1, len(looks)))
            db.execute(
                "INSERT INTO descriptors VALUES (?, ?, 128, ?)",
                (i + 1, len(looks), looks.tobytes()),
            )
    db.close()
