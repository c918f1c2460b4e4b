"""localize, doctor, split and export on a real place, as a shell sees them."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from floor_place import FRAMES, FloorPlace
from sightline.cli.main import main
from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle_deg
from sightline.media.encode import write_video
from sightline.records import Place, stack_poses
from sightline.records.colmap import read_model
from sightline.records.tum import read_tum

pytestmark = [pytest.mark.egl, pytest.mark.slow]

FORMAT = [
    "image", "status", "q_wxyz", "center", "unit", "plan_xy_px", "heading_deg", "confidence",
    "inliers", "seconds",
]  # fmt: skip


@pytest.fixture
def copy(floor: FloorPlace, tmp_path: Path) -> Place:
    return Place.open(shutil.copytree(floor.root, tmp_path / "place"))


def shell(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str]]:
    """Return the exit code and what went to the file descriptor of stdout (COLMAP's words too)."""
    capfd.readouterr()
    code = main([str(a) for a in arguments])
    return code, capfd.readouterr().out.splitlines()


@pytest.mark.parametrize("flag", ["--no-refine", "--smooth"])
def test_no_share_of_wrong_answers_is_promised_of_others_than_were_calibrated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    place, photo = str(tmp_path / "place"), str(tmp_path / "a.jpg")
    assert main(["localize", place, photo, "--max-wrong", "0.01", flag]) == 2
    assert f"with --max-wrong, {flag} came; give --min-confidence" in capsys.readouterr().err


def test_localize_json_is_one_object_a_line(floor: FloorPlace, capfd) -> None:
    code, lines = shell(capfd, "localize", floor.root, floor.queries[0], "--json")
    assert code == 0
    (line,) = lines
    content = json.loads(line)
    assert [k for k in content if k in FORMAT] == FORMAT
    assert content["image"] == floor.queries[0].name
    assert content["status"] == "refined"
    off = np.subtract(content["center"], floor.true_queries[0].translation)
    assert np.linalg.norm(off) < 0.06
    q = np.array(content["q_wxyz"])
    assert rotation_angle_deg(q, floor.true_queries[0].q_wxyz) < 0.5
    assert q[0] >= 0


def test_localize_says_don_t_know(floor: FloorPlace, tmp_path: Path, capfd) -> None:
    video = tmp_path / "clip.mp4"
    write_video(video, floor.pictures[5:9], fps=2)
    code, lines = shell(
        capfd, "localize", floor.root, floor.elsewhere[0], video, "--json", "--fps", "1"
    )
    assert code == 1
    contents = [json.loads(line) for line in lines]
    assert [c["status"] for c in contents] == ["unknown", "refined", "refined"]
    assert "timestamp_s" not in contents[0]
    assert [c["timestamp_s"] for c in contents[1:]] == [0.0, 1.0]
    assert contents[0]["center"] is None


def test_localize_for_people(floor: FloorPlace, capfd) -> None:
    code, lines = shell(capfd, "localize", floor.root, floor.queries[0], floor.elsewhere[-1])
    assert code == 1
    name, numbers = lines[0].split(": (")
    assert name == floor.queries[0].name
    centre = np.array(numbers.split(") m, plan (")[0].split(","), float)
    true = floor.true_queries[0].translation
    assert np.linalg.norm(centre - true) < 0.06
    assert ", refined, confidence " in lines[0]
    plan = lines[0].split("plan (")[1].split(")")[0].split(",")
    assert np.abs(np.array(plan, float) - floor.plan.to_px(true)).max() < 3.5
    name = floor.elsewhere[-1].name
    assert lines[1] == f"{name}: don't know (this does not look like the place)"


def test_localize_wrong_photo_is_one_line(floor: FloorPlace, tmp_path: Path, capfd) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff no photo")
    assert main(["localize", str(floor.root), str(photo)]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert "photo.jpg" in err


def test_doctor(floor: FloorPlace, capfd) -> None:
    code, lines = shell(capfd, "doctor", floor.root)
    assert lines[0].startswith(f"{FRAMES} of {FRAMES} frames registered, ")
    # The map is well; the paper's split leaks.
    ill = [line.split()[1] for line in lines if line.startswith(("problem", "warning"))]
    assert ill == ["split"]
    assert code == 3


def test_split(copy: Place, capfd) -> None:
    code, lines = shell(capfd, "split", copy.root, "mod3")
    assert code == 0
    assert lines[0] == "10 train, 9 validation, 9 test"
    assert lines[1].startswith("note: test frames lie 0.")
    assert lines[1].endswith("a score on mod3 measures interpolation, not localisation")
    code, lines = shell(capfd, "split", copy.root, "second-walk")
    assert code == 0
    assert lines[0].endswith(", 0 test")
    with (copy.root / "train.csv").open(newline="") as stream:
        names = [row["image"] for row in csv.DictReader(stream)]
    assert names == [f.image for f in copy.registered("train")]
    assert 0 < len(names) < FRAMES


@pytest.mark.parametrize("format_", ["colmap-text", "colmap-binary"])
def test_export_colmap(floor: FloorPlace, tmp_path: Path, capfd, format_: str) -> None:
    out = tmp_path / "out"
    code, lines = shell(capfd, "export", floor.root, out, "--format", format_)
    assert code == 0
    assert lines == [f"written: {out}"]
    suffix = ".txt" if format_ == "colmap-text" else ".bin"
    assert {"cameras", "images", "points3D"} <= {p.stem for p in out.glob(f"*{suffix}")}
    model = read_model(out)
    frames = floor.place.frames()
    assert list(model.frames) == [f.image for f in frames]
    exported = Pose.stack([model.frames[f.image].world_from_cam for f in frames])
    ours = stack_poses(frames)
    # poses.csv has nine digits.
    np.testing.assert_allclose(exported.translation, ours.translation, atol=2e-8)
    assert rotation_angle_deg(exported.q_wxyz, ours.q_wxyz).max() < 1e-5
    with (floor.root / "points.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    points = np.array([[float(r[k]) for k in "xyz"] for r in rows])
    assert len(points) == len(model.points)
    np.testing.assert_allclose(np.sort(points, axis=0), np.sort(model.points, axis=0), atol=1e-5)


def test_export_tum(floor: FloorPlace, tmp_path: Path, capfd) -> None:
    out = tmp_path / "walk.tum"
    code, _ = shell(capfd, "export", floor.root, out, "--format", "tum")
    assert code == 0
    stamps, poses = read_tum(out)
    frames = floor.place.frames()
    np.testing.assert_allclose(stamps, [f.timestamp_s for f in frames], atol=1e-6)
    np.testing.assert_allclose(poses.translation, stack_poses(frames).translation, atol=1e-6)
    assert rotation_angle_deg(poses.q_wxyz, stack_poses(frames).q_wxyz).max() < 1e-3


def test_export_paper(floor: FloorPlace, tmp_path: Path, capfd) -> None:
    out = tmp_path / "paper"
    code, _ = shell(capfd, "export", floor.root, out, "--format", "paper")
    assert code == 0
    with (out / "positions.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [r["image"] for r in rows] == [f.image for f in floor.place.frames()]
    centres = np.array([[float(r[k]) for k in "xyz"] for r in rows])
    q = np.array([[float(r[k]) for k in ("qw", "qx", "qy", "qz")] for r in rows])
    t = np.array([[float(r[k]) for k in ("tx", "ty", "tz")] for r in rows])
    # COLMAP's q and t belong to each other; the centre is -R^T t.
    np.testing.assert_allclose(Pose(q, t).inverse().translation, centres, atol=1e-6)
    np.testing.assert_allclose(centres, stack_poses(floor.place.frames()).translation, atol=2e-9)
    assert {p.name for p in out.iterdir()} == {
        "positions.csv", "points3D.csv", "train.csv", "validation.csv", "test.csv"
    }  # fmt: skip


def test_export_into_a_folder_with_files_is_refused(floor: FloorPlace, tmp_path: Path, capfd):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["export", str(floor.root), str(tmp_path)]) == 2
    assert "holds files" in capfd.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
