"""Where a walk's frames come from, and what is known of how its camera moved."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.errors import InputError, MediaError, TrainingError
from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.geometry.pose_graph import RelativePoses, ScaleRatios, diagonal_covariance
from sightline.geometry.rotation import rotation_angle_deg
from sightline.media import write_video
from sightline.reconstruction.odometry import Odometry, VisualOdometry
from sightline.records import PosedFrame, write_poses_csv
from sightline.records.tum import write_tum
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.unlabelled import motion
from sightline.tasks.absolute.unlabelled.frames import WalkFrames, source_digest, take_frames
from sightline.tasks.absolute.unlabelled.motion import given_motion, match_frames, matched_motion
from sightline.tasks.absolute.unlabelled.pieces import Piece, pieces_of
from sightline.tasks.absolute.unlabelled.samples import WalkTuples
from two_walls import CAMERA, view_of_planes

ELSEWHERE = Pose.from_rotation(Rotation.from_rotvec([0.4, 1.0, -2.0]), [5.0, -3.0, 9.0])


def quiet(_text: str, _done: float) -> None:
    pass


# --- pieces ---------------------------------------------------------------------------------------


def path(count: int, seed: int = 0) -> Pose:
    """A crooked path with uneven steps."""
    rng = np.random.default_rng(seed)
    centres = np.cumsum(rng.uniform(0.2, 1.0, (count, 3)) * [1, 0.3, 0.8], axis=0)
    turns = Rotation.from_euler("y", np.cumsum(rng.uniform(-20, 25, count))[:, None], degrees=True)
    return Pose.from_rotation(turns, centres)


def odometry_of(
    true: Pose,
    pairs: list[tuple[int, int]],
    turned: tuple[tuple[int, int], ...] = (),
    unlike: tuple[tuple[int, int], ...] = (),
) -> Odometry:
    """Exact steps of length 1, and how all lengths compare, but for those between two groups.

    Args:
        true: The poses.
        pairs: Which frames are matched.
        turned: Pairs of them whose camera only turned.
        unlike: Pairs whose lengths compare with one another alone.
    """
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    steps = relative_pose(true[b], true[a])
    length = np.linalg.norm(steps.translation, axis=1)
    still = np.array([pair in turned for pair in pairs])
    unit = np.where(still[:, None], 0.0, steps.translation / np.maximum(length, 1e-9)[:, None])
    ratios = [
        (i, j, np.log(length[j] / length[i]), 0.05)
        for i in range(len(pairs))
        for j in range(i + 1, len(pairs))
        if not still[i]
        and not still[j]
        and set(pairs[i]) & set(pairs[j])
        and (pairs[i] in unlike) == (pairs[j] in unlike)
    ]
    table = np.array(ratios).reshape(-1, 4)
    rows = table[:, :2].astype(np.int64)
    covariance = diagonal_covariance(np.full(len(pairs), 0.02), 0.002)
    return Odometry(
        len(true),
        RelativePoses(a, b, Pose(steps.q_wxyz, unit), covariance, still),
        ScaleRatios(rows[:, 0], rows[:, 1], table[:, 2], table[:, 3]),
    )


def two_before(first: int, last: int) -> list[tuple[int, int]]:
    return [(i - k, i) for i in range(first, last + 1) for k in (1, 2) if i - k >= first]


def assert_alike(piece: Piece, true: Pose) -> None:
    """Assert that a piece's relative poses are the true ones, in one unit of its own."""
    i, j = np.triu_indices(len(piece), 1)
    found = relative_pose(piece.world_from_cam[i], piece.world_from_cam[j])
    wanted = relative_pose(true[piece.rows[i]], true[piece.rows[j]])
    assert rotation_angle_deg(found.q_wxyz, wanted.q_wxyz).max() < 0.01
    scale = np.linalg.norm(found.translation) / np.linalg.norm(wanted.translation)
    np.testing.assert_allclose(found.translation, scale * wanted.translation, atol=1e-3 * scale)


def test_a_walk_whose_lengths_all_compare_is_one_piece() -> None:
    true = path(9)
    (piece,) = pieces_of(odometry_of(true, two_before(0, 8)))
    np.testing.assert_array_equal(piece.rows, np.arange(9))
    assert_alike(piece, true)


def test_where_frames_do_not_match_a_new_piece_begins() -> None:
    true = path(9)
    pieces = pieces_of(odometry_of(true, two_before(0, 3) + two_before(4, 8)))
    assert [piece.rows.tolist() for piece in pieces] == [[0, 1, 2, 3], [4, 5, 6, 7, 8]]
    for piece in pieces:
        assert_alike(piece, true)


def test_where_lengths_do_not_compare_a_new_piece_begins() -> None:
    """Frame 4 is in both: it was matched to either side."""
    true, late = path(9), two_before(4, 8)
    found = odometry_of(true, two_before(0, 4) + late, unlike=tuple(late))
    pieces = pieces_of(found)
    assert [piece.rows.tolist() for piece in pieces] == [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8]]
    for piece in pieces:
        assert_alike(piece, true)


def test_a_camera_that_turned_on_the_spot_stays_in_the_piece() -> None:
    true = path(6)
    centres = true.translation.copy()
    centres[3:] -= centres[3] - centres[2]
    true = Pose(true.q_wxyz, centres)
    (piece,) = pieces_of(odometry_of(true, two_before(0, 5), turned=((2, 3),)))
    np.testing.assert_array_equal(piece.rows, np.arange(6))
    assert_alike(piece, true)


def test_nothing_matched_is_no_piece() -> None:
    assert pieces_of(Odometry(4, RelativePoses.none(), ScaleRatios.none())) == []
    turned = odometry_of(path(2), [(0, 1)], turned=((0, 1),))
    assert pieces_of(turned) == []


def walk_frames(folder: Path, count: int, **changes: object) -> WalkFrames:
    made = WalkFrames(
        source=folder,
        folder=folder,
        images=tuple(f"{i}.png" for i in range(count)),
        timestamps_s=tuple(i / 2 for i in range(count)),
        size=(480, 360),
        photos=True,
        left_out=(),
        cache=folder / "cache",
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_tuples_keep_within_pieces() -> None:
    frames = walk_frames(Path("walk"), 12)
    pieces = [
        Piece(np.array(rows), path(len(rows)))
        for rows in ([0, 1, 2, 3, 4, 6], [6, 7], [7, 8, 9, 10, 11])
    ]
    found = WalkTuples.of(frames, pieces, AbsoluteConfig(step=3, unlabelled_skip=2))
    names = [[found.frames[i].image for i in row] for row in found.tuples]
    assert names == [
        ["0.png", "2.png", "4.png"],
        ["1.png", "3.png", "6.png"],
        ["7.png", "9.png", "11.png"],
    ]
    assert found.piece.tolist() == [0, 0, 2]
    pose = found.frames[found.tuples[1][2]].world_from_cam
    assert pose is not None
    np.testing.assert_array_equal(pose.translation, pieces[0].world_from_cam[5].translation)


def test_too_short_a_walk_is_named_with_what_helps() -> None:
    frames = walk_frames(Path("walk.mp4"), 6)
    pieces = [Piece(np.arange(6), path(6))]
    with pytest.raises(TrainingError, match=r"walk.mp4: .* more than 6 frames .* at most 6 of 6"):
        WalkTuples.of(frames, pieces, AbsoluteConfig(step=3, unlabelled_skip=3))
    with pytest.raises(TrainingError, match=r"at most 0 of 6; .*--unlabelled-fps"):
        WalkTuples.of(frames, [], AbsoluteConfig())


# --- matched frames -------------------------------------------------------------------------------


def past_the_walls() -> Pose:
    x = np.array([-0.9, -0.6, -0.45, 0.05, 0.25, 0.6, 0.85])
    turn = Rotation.from_euler("y", np.array([10.0, 8, 4, 1, -3, -6, -9])[:, None], degrees=True)
    centres = np.stack([x, 0.1 * np.sin(5 * x), 0.2 * np.cos(3 * x)], axis=1)
    return Pose.from_rotation(turn, centres)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, true = tmp_path_factory.mktemp("photos"), past_the_walls()
    for i in range(len(true)):
        picture = view_of_planes(true[i].inverse(), noise=i + 1).image
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


def test_chunks_find_what_the_whole_walk_does_and_a_killed_one_goes_on(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = walk_frames(photos, 7, cache=tmp_path)
    visual = VisualOdometry()
    for name in frames.images:
        with Image.open(photos / name) as picture:
            visual.add(np.asarray(picture), CAMERA)
    whole = visual.result()
    monkeypatch.setattr(motion, "CHUNK", 5)
    read: list[str] = []
    readable = motion.read_photo

    def counted(source: Path) -> np.ndarray:
        read.append(source.name)
        if len(read) == 11:
            raise KeyboardInterrupt
        return readable(source)

    monkeypatch.setattr(motion, "read_photo", counted)
    with pytest.raises(KeyboardInterrupt):
        match_frames(frames, CAMERA, quiet)
    assert len(list(tmp_path.rglob("*.json"))) == 1
    found = match_frames(frames, CAMERA, quiet)
    # The first chunk is not matched again; the second begins four frames before its own.
    assert read[11:] == [f"{i}.png" for i in range(1, 7)]
    assert found.frames == whole.frames
    for name in ("a", "b", "covariance", "metric"):
        np.testing.assert_array_equal(
            getattr(found.relative, name), getattr(whole.relative, name), err_msg=name
        )
    steps, wanted = found.relative.b_from_a, whole.relative.b_from_a
    np.testing.assert_array_equal(steps.translation, wanted.translation)
    np.testing.assert_allclose(steps.q_wxyz, wanted.q_wxyz, atol=1e-15)
    np.testing.assert_array_equal(found.ratios.first, whole.ratios.first)
    np.testing.assert_array_equal(found.ratios.second, whole.ratios.second)
    np.testing.assert_array_equal(found.ratios.log_ratio, whole.ratios.log_ratio)
    read.clear()
    match_frames(frames, CAMERA, quiet)
    assert read == []


def test_matched_photos_tell_the_shape_of_the_walk(photos: Path, tmp_path: Path) -> None:
    true, frames = past_the_walls(), walk_frames(photos, 7, cache=tmp_path)
    found = matched_motion(frames, CAMERA, quiet)
    assert not found.metric
    assert found.origin == "matched frames"
    (piece,) = found.pieces
    np.testing.assert_array_equal(piece.rows, np.arange(7))
    ends = relative_pose(piece.world_from_cam[0], piece.world_from_cam[6])
    wanted = relative_pose(true[0], true[6])
    assert rotation_angle_deg(ends.q_wxyz, wanted.q_wxyz) < 1.0
    cosine = ends.translation @ wanted.translation
    cosine /= np.linalg.norm(ends.translation) * np.linalg.norm(wanted.translation)
    assert np.degrees(np.arccos(cosine)) < 3.0
    steps = np.linalg.norm(np.diff(piece.world_from_cam.translation, axis=0), axis=1)
    lengths = np.linalg.norm(np.diff(true.translation, axis=0), axis=1)
    np.testing.assert_allclose(steps / steps.sum(), lengths / lengths.sum(), rtol=0.15)


# --- a trajectory that is given -------------------------------------------------------------------


def test_a_tum_file_tells_of_a_video_by_time(tmp_path: Path) -> None:
    true, frames = path(6), walk_frames(tmp_path, 4, photos=False)
    there = ELSEWHERE @ true
    write_tum(tmp_path / "phone.tum", 0.5 * np.arange(6) - 0.25, there)
    found = given_motion(frames, tmp_path / "phone.tum", metric=True)
    assert found.metric
    assert found.origin == "phone.tum"
    (piece,) = found.pieces
    np.testing.assert_array_equal(piece.rows, np.arange(4))
    middle = 0.5 * (there.translation[:-1] + there.translation[1:])
    np.testing.assert_allclose(piece.world_from_cam.translation, middle[:4], atol=1e-6)


def test_a_poses_csv_names_photos_and_times_frames_of_a_video(tmp_path: Path) -> None:
    true = path(5)
    rows = [PosedFrame(f"{i}.png", i / 2, true[i]) for i in (4, 0, 2)]
    write_poses_csv(tmp_path / "poses.csv", [*rows, PosedFrame("3.png", 1.5, None)])
    photos = given_motion(walk_frames(tmp_path, 5), tmp_path / "poses.csv", metric=False)
    (piece,) = photos.pieces
    assert not photos.metric
    np.testing.assert_array_equal(piece.rows, [0, 2, 4])
    np.testing.assert_allclose(piece.world_from_cam.translation, true.translation[[0, 2, 4]])
    write_poses_csv(tmp_path / "timed.csv", [PosedFrame(f"x{i}", i / 2, true[i]) for i in range(5)])
    film = given_motion(walk_frames(tmp_path, 5, photos=False), tmp_path / "timed.csv", metric=True)
    np.testing.assert_allclose(film.pieces[0].world_from_cam.translation, true.translation)


def test_a_trajectory_of_something_else_is_refused(tmp_path: Path) -> None:
    true, frames = path(4), walk_frames(tmp_path, 4, photos=False)
    write_tum(tmp_path / "late.tum", 100 + np.arange(4.0), true)
    with pytest.raises(InputError, match=r"late.tum: .* it has 0 of 4; .* 0.000 to 1.500 s: shift"):
        given_motion(frames, tmp_path / "late.tum", metric=True)
    write_poses_csv(tmp_path / "other.csv", [PosedFrame("3.png", None, true[0])])
    with pytest.raises(InputError, match=r"other.csv: .* it has 1 of 4; does it name these photos"):
        given_motion(walk_frames(tmp_path, 4), tmp_path / "other.csv", metric=True)
    write_tum(tmp_path / "twice.tum", np.array([0.0, 1, 1, 2]), true)
    with pytest.raises(InputError, match=r"twice.tum: an increasing time"):
        given_motion(frames, tmp_path / "twice.tum", metric=True)
    untimed = [PosedFrame("0.png", None, true[0]), PosedFrame("1.png", None, true[1])]
    write_poses_csv(tmp_path / "untimed.csv", untimed)
    with pytest.raises(InputError, match=r"untimed.csv: poses with a timestamp_s are wanted"):
        given_motion(frames, tmp_path / "untimed.csv", metric=True)
    with pytest.raises(InputError, match="no such file"):
        given_motion(frames, tmp_path / "gone.tum", metric=True)


def test_the_rows_of_a_trajectory_may_stand_in_any_order(tmp_path: Path) -> None:
    true, frames = path(4), walk_frames(tmp_path, 4, photos=False)
    stamps = np.arange(4.0) / 2
    order = np.array([2, 0, 3, 1])
    for name, rows in (("sorted.tum", np.arange(4)), ("mixed.tum", order)):
        write_tum(tmp_path / name, stamps[rows], true[rows])
    (one,), (other,) = (
        given_motion(frames, tmp_path / name, metric=True).pieces
        for name in ("sorted.tum", "mixed.tum")
    )
    np.testing.assert_array_equal(one.world_from_cam.translation, other.world_from_cam.translation)
    np.testing.assert_array_equal(one.world_from_cam.q_wxyz, other.world_from_cam.q_wxyz)


# --- frames ---------------------------------------------------------------------------------------


def picture(value: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    pixels = np.random.default_rng(value).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_photos_that_do_not_read_or_differ_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "walk" / "images"
    folder.mkdir(parents=True)
    picture(0, (48, 64)).save(folder / "0.jpg")
    for i in (1, 2, 10):
        picture(i).save(folder / f"{i}.jpg")
    (folder / "3.jpg").write_bytes((folder / "1.jpg").read_bytes()[:500])
    frames = take_frames(tmp_path / "walk", 2.0, tmp_path / "cache", quiet)
    assert frames.images == ("1.jpg", "2.jpg", "10.jpg")
    assert frames.left_out == ("0.jpg", "3.jpg")
    # The others keep their times.
    assert frames.timestamps_s == (0.5, 1.0, 2.0)
    assert frames.folder == folder
    assert frames.size == (64, 48)
    assert frames.photos
    for name in ("0.jpg", "1.jpg", "2.jpg", "10.jpg"):
        (folder / name).unlink()
    with pytest.raises(MediaError, match=r"3.jpg"):
        take_frames(tmp_path / "walk", 2.0, tmp_path / "cache", quiet)


def test_a_video_is_taken_once(tmp_path: Path) -> None:
    video = tmp_path / "walk.mp4"
    write_video(video, [np.asarray(picture(i)) for i in range(8)], fps=4)
    frames = take_frames(video, 2.0, tmp_path / "cache", quiet)
    assert len(frames.images) == 4
    np.testing.assert_allclose(frames.timestamps_s, [0, 0.5, 1, 1.5], atol=1e-6)
    assert not frames.photos
    stamp = (frames.folder / frames.images[0]).stat().st_mtime_ns
    digest = source_digest(video)
    renamed = video.rename(tmp_path / "other.mp4")
    assert source_digest(renamed) == digest
    again = take_frames(renamed, 2.0, tmp_path / "cache", quiet)
    assert (again.folder / again.images[0]).stat().st_mtime_ns == stamp
    faster = take_frames(renamed, 4.0, tmp_path / "cache", quiet)
    assert len(faster.images) == 8


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.mp4 is wanted .* no such video or folder"):
        take_frames(tmp_path / "gone.mp4", 2.0, tmp_path / "cache", quiet)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(MediaError, match=r"text.mp4"):
        take_frames(tmp_path / "text.mp4", 2.0, tmp_path / "cache", quiet)
    assert not list((tmp_path / "cache").glob("unlabelled-*"))
