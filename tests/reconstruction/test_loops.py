"""Loop closing on a drifting map of a round hall whose wall repeats every 30 degrees."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.geometry.trajectory import absolute_trajectory_error
from sightline.reconstruction import loops
from sightline.reconstruction.config import LOOP_GAP, ReconstructionConfig
from sightline.reconstruction.loop_bundle import LoopMatch, apply_loops
from sightline.reconstruction.loops import (
    Candidate,
    asking,
    believe,
    close_loops,
    find_candidates,
    verify,
)
from sightline.reconstruction.pipeline import reconstruct
from sightline.records import Place
from sightline.records.colmap import (
    MapModel,
    camera_to_colmap,
    model_from_colmap,
    pixels_to_colmap,
    pose_from_colmap,
    pose_to_colmap,
    read_model,
)

CAMERA = Camera("SIMPLE_RADIAL", 640, 480, (500.0, 319.5, 239.5, 0.0))
FRAMES, TURNS, REPEATS = 96, 1.1, 12
PER_TURN = FRAMES / TURNS


@dataclass(frozen=True)
class Hall:
    """A drifting map with the truth behind it.

    Attributes:
        physical: For every frame, the wall point that each keypoint shows.
    """

    reconstruction: pycolmap.Reconstruction
    names: list[str]
    truth: Pose
    physical: list[np.ndarray]
    matched: dict[tuple[int, int], int]

    @property
    def model(self) -> MapModel:
        return model_from_colmap(self.reconstruction)

    def matches(self, a: int, b: int, repeats_off: int = 0) -> np.ndarray:
        """Keypoint rows that show the same wall point, or one that looks just like it."""
        size = WALL_SIZE // REPEATS
        alike = (self.physical[b] - repeats_off * size) % WALL_SIZE
        _, rows_a, rows_b = np.intersect1d(self.physical[a], alike, return_indices=True)
        return np.stack([rows_a, rows_b], axis=1).astype(np.int64)

    def error_m(self) -> float:
        images = [self.reconstruction.find_image_with_name(name) for name in self.names]
        poses = Pose.stack([pose_from_colmap(i.cam_from_world()) for i in images if i is not None])
        return absolute_trajectory_error(poses, self.truth).rmse


WALL_SIZE = 1920


def wall() -> np.ndarray:
    """Points on a round wall: a random piece of 30 degrees, twelve times."""
    rng = np.random.default_rng(2)
    piece = WALL_SIZE // REPEATS
    angle = rng.uniform(0, 2 * np.pi / REPEATS, piece)
    height, radius = rng.uniform(-1.6, 1.6, piece), rng.uniform(8.0, 9.0, piece)
    turn = np.arange(REPEATS)[:, None] * 2 * np.pi / REPEATS + angle
    points = [radius * np.cos(turn), np.broadcast_to(height, turn.shape), radius * np.sin(turn)]
    return np.stack(points, axis=-1).reshape(-1, 3)


def walk() -> Pose:
    """Once round and a bit more, looking outward."""
    angle = 2 * np.pi * np.arange(FRAMES) / PER_TURN
    centres = np.stack([5 * np.cos(angle), 0.1 * np.sin(5 * angle), 5 * np.sin(angle)], axis=1)
    return Pose.from_rotation(Rotation.from_euler("y", np.pi / 2 - angle[:, None]), centres)


def drifted(truth: Pose) -> list[tuple[Rotation, np.ndarray, float]]:
    """World-to-map motion of each frame: turning, shrinking and sinking along the walk."""
    share = np.linspace(0, 1, FRAMES)
    return [
        (
            Rotation.from_rotvec([0.01 * s, 0.03 * s, -0.01 * s]),
            np.array([0.05 * s, -0.1 * s, 0.08 * s]),
            1 - 0.01 * s,
        )
        for s in share
    ]


@pytest.fixture
def hall() -> Hall:
    points, truth = wall(), walk()
    motions = drifted(truth)
    rng = np.random.default_rng(7)
    reconstruction = pycolmap.Reconstruction()
    camera = camera_to_colmap(CAMERA)
    camera.camera_id = 1
    reconstruction.add_camera_with_trivial_rig(camera)
    names, physical, tracks = [], [], {}
    for i in range(FRAMES):
        in_camera = truth[i].inverse().apply(points)
        pixels = CAMERA.project(in_camera)
        seen = (in_camera[:, 2] > 0.5) & (np.abs(pixels - [319.5, 239.5]) < [319, 239]).all(axis=1)
        rows = np.flatnonzero(seen)
        turn, shift, scale = motions[i]
        pose = Pose.from_rotation(
            turn * truth[i].rotation, scale * turn.apply(truth[i].translation) + shift
        )
        xy = pixels_to_colmap(pixels[rows]) + rng.normal(0, 0.2, (len(rows), 2))
        image = pycolmap.Image(f"{i:03d}.jpg", xy, 1, i + 1)
        reconstruction.add_image_with_trivial_frame(image, pose_to_colmap(pose))
        names.append(f"{i:03d}.jpg")
        physical.append(rows)
        for keypoint, row in enumerate(rows.tolist()):
            # The second time round the same wall point becomes another map point: no loop yet.
            tracks.setdefault((row, i > FRAMES // 2), []).append((i, keypoint))
    for (row, _), seen_by in tracks.items():
        if len(seen_by) < 2:
            continue
        turn, shift, scale = motions[seen_by[len(seen_by) // 2][0]]
        track = pycolmap.Track()
        for i, keypoint in seen_by:
            track.add_element(i + 1, keypoint)
        reconstruction.add_point3D(scale * turn.apply(points[row]) + shift, track)
    matched = {(a, b): 50 for a in range(FRAMES) for b in (a + 1, a + 2, a + 4) if b < FRAMES}
    return Hall(reconstruction, names, truth, physical, matched)


def candidates_of(hall: Hall) -> list[Candidate]:
    """Candidates where appearance is no help at all: every frame looks like every other."""
    appearance = np.ones((FRAMES, 4), np.float32)
    return find_candidates(hall.model, hall.names, appearance, hall.matched)


def test_candidates_are_far_in_time_and_near_in_the_map(hall: Hall) -> None:
    candidates = candidates_of(hall)
    assert all(c.b - c.a >= LOOP_GAP for c in candidates)
    pairs = [(c.a, c.b) for c in candidates]
    assert len(pairs) == len(set(pairs))
    # The first frame is passed again by the frame PER_TURN later.
    assert (0, round(PER_TURN)) in {(c.a, c.b) for c in candidates if not c.reason}
    across = next(c for c in candidates if c.b == 45 and c.a == 0)
    assert "too far apart" in across.reason


def test_true_pairs_are_believed_and_close_the_loop(hall: Hall) -> None:
    model, candidates = hall.model, candidates_of(hall)
    for c in candidates:
        if not c.reason:
            verify(c, model, hall.names, hall.matches(c.a, c.b), max_error_px=2.0)
    believe(candidates, model, hall.names)
    found = [c.match for c in candidates if not c.reason and c.match is not None]
    assert len(found) >= 10
    assert all(abs(loop.b - loop.a - PER_TURN) <= 6 for loop in found)
    before = hall.error_m()
    outcome = apply_loops(
        hall.reconstruction, model, hall.names, found, matched=hall.matched,
        refine_intrinsics=False, max_error_px=2.0,
    )  # fmt: skip
    assert outcome["closed"], outcome["reason"]
    assert outcome["merged"] > 100
    assert before > 0.03
    assert hall.error_m() < 0.25 * before


def test_a_repeated_wall_is_not_believed(hall: Hall) -> None:
    """The wall 30 degrees on looks exactly the same; drift cannot explain 2.6 m."""
    model = hall.model
    false = []
    for b in range(80, 96):
        a = b - round(PER_TURN) + 7
        if a >= 0:
            false.append(Candidate(a, b, 1.0, 0.03 * 34.0))
            verify(
                false[-1], model, hall.names, hall.matches(a, b, repeats_off=-1), max_error_px=2.0
            )
    assert len(false) >= 5
    assert {c.reason.split(" of ")[0] for c in false} == {"asks for a correction"}
    believe(false, model, hall.names)
    assert all(c.match is None for c in false)


def test_a_lonely_pair_is_not_believed(hall: Hall) -> None:
    model = hall.model
    lonely = Candidate(2, round(PER_TURN) + 2, 1.0, 1.0)
    verify(lonely, model, hall.names, hall.matches(lonely.a, lonely.b), max_error_px=2.0)
    assert lonely.match is not None
    believe([lonely], model, hall.names)
    assert lonely.reason == "0 of 0 neighbouring pairs agree"


def test_each_loop_is_asked_by_its_own_drift_bound() -> None:
    """A loop after 300 m may be 9 m off, which one after 10 m may not."""
    believed = [Candidate(2, 90, 0.5, 0.3), Candidate(3, 92, 0.5, 0.4), Candidate(9, 250, 0.5, 9.0)]
    tried = asking({89: (1,), 94: (5, 4), 247: (6, 3)}, believed)
    assert [(c.a, c.b, c.bound) for c in tried] == [
        (1, 89, 0.3),
        (5, 94, 0.4),
        (4, 94, 0.4),
        (6, 247, 9.0),
        (3, 247, 9.0),
    ]
    assert all(not c.reason for c in tried)


def test_pairs_without_matches_say_so(hall: Hall) -> None:
    pair = Candidate(0, 60, 1.0, 1.0)
    verify(pair, hall.model, hall.names, np.zeros((0, 2), np.int64), max_error_px=2.0)
    assert pair.reason == "0 verified matches to map points, 20 wanted"


def test_wrong_loops_are_taken_back(hall: Hall) -> None:
    """Were false matches believed after all, the adjusted map would show it."""
    model, rng = hall.model, np.random.default_rng(0)
    wrong = []
    for b in range(88, 96):
        a = b - round(PER_TURN)
        frame = model.frames[hall.names[a]]
        matches = hall.matches(a, b)
        matches = matches[frame.point_ids[matches[:, 0]] >= 0]
        matches[:, 1] = rng.permutation(matches[:, 1])
        wrong.append(LoopMatch(a, b, matches, frame.world_from_cam))
    outcome = apply_loops(
        hall.reconstruction, model, hall.names, wrong, matched=hall.matched,
        refine_intrinsics=False, max_error_px=2.0,
    )  # fmt: skip
    assert not outcome["closed"], outcome
    assert outcome["reason"] == "the adjusted map tore the loops' matches apart again"
    assert outcome["held"] < 0.1 * outcome["merged"]


def test_images_to_closed_map(
    make_place: Callable[..., Place], scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From real features: frames 6 or more apart were not matched for the map, here they are."""
    monkeypatch.setattr(loops, "LOOP_GAP", 6)
    place = make_place()
    config = ReconstructionConfig(overlap=2, loop_closing=False, threads=2)
    reconstruct(place, config)
    database = tmp_path / "scratch.db"
    shutil.copyfile(place.database_path, database)
    told = close_loops(
        {
            "database": str(database),
            "model": str(place.model_dir),
            "output": str(tmp_path / "closed"),
            "names": scene.names,
            "refine_intrinsics": True,
            "max_error_px": 2.0,
            "threads": 2,
            "seed": 0,
        },
        lambda text, fraction: None,
    )
    assert told["closed"], told["reason"]
    believed = [row for row in told["candidates"] if row["believed"]]
    assert len(believed) == told["believed"] >= 10
    errors = [
        absolute_trajectory_error(
            Pose.stack([read_model(folder).frames[n].world_from_cam for n in scene.names]),
            scene.world_from_cam,
        ).rmse
        for folder in (place.model_dir, tmp_path / "closed")
    ]
    assert errors[1] < errors[0]
