"""Each finding of the doctor, on a place that is well and on places ill in a known way."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from ring_place import FRAMES, NAMES, picture, ring_poses, write_ring_place
from sightline.app.doctor import Examination, Finding, diagnose, examine_place
from sightline.app.doctor.findings import graded, listed
from sightline.errors import InputError, PlaceError
from sightline.geometry import Camera, Pose
from sightline.reconstruction import doctor
from sightline.reconstruction.diagnosis.loop_gap import LoopGap, Revisits
from sightline.records import Place, PosedFrame
from sightline.records.cameras import set_cameras
from sightline.records.colmap import export_model
from sightline.records.splits import assign_split


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return write_ring_place(tmp_path_factory.mktemp("healthy") / "place")


@pytest.fixture(scope="module")
def measured(healthy: Place) -> Examination:
    return examine_place(healthy)


@pytest.fixture
def exam(measured: Examination) -> Examination:
    """What was measured of the healthy place, to be changed at will."""
    fit, place = measured.fit, measured.place
    assert fit is not None
    copied = {f.name: np.copy(getattr(fit, f.name)) for f in dataclasses.fields(fit)}
    return dataclasses.replace(
        measured,
        place=Place(place.root, dict(place.content)),
        frames=list(measured.frames),
        fit=dataclasses.replace(fit, **{**copied, "names": list(fit.names)}),
        pictures=dict(measured.pictures),
        features=dict(measured.features),
        off_map=dict(measured.off_map),
        report=dict(measured.report),
    )


@pytest.fixture
def copy(healthy: Place, tmp_path: Path) -> Place:
    return Place.open(shutil.copytree(healthy.root, tmp_path / "place"))


def of(exam: Examination, check: str) -> Finding:
    (found,) = [f for f in diagnose(exam).findings if f.check == check]
    return found


def say(exam: Examination, **values: Any) -> None:
    """Change what place.toml says, in memory."""
    exam.place = Place(exam.place.root, {**exam.place.content, **values})


def test_a_healthy_place_is_left_as_it_is(healthy: Place) -> None:
    before = {p: p.stat().st_mtime_ns for p in healthy.root.rglob("*")}
    diagnosis = diagnose(examine_place(healthy))
    assert {p: p.stat().st_mtime_ns for p in healthy.root.rglob("*")} == before
    found = {f.check: f.severity for f in diagnosis.findings}
    # The test frames of the ring's last stretch lie where the walk began: that is said.
    assert {c for c, s in found.items() if s != "good"} == {"split"}
    assert found["split"] == "note"
    assert len(found) == 18
    assert (diagnosis.severity, diagnosis.exit_code) == ("note", 0)
    content = json.loads(json.dumps(diagnosis.to_json(), allow_nan=False))
    assert content["counts"] == {"good": 17, "note": 1, "warning": 0, "problem": 0}
    assert [f["image"] for f in content["frames"]] == NAMES
    assert content["frames"][0]["features"] >= 100
    assert content["frames"][0]["reprojection_px"] < 1e-3


def test_a_build_that_was_stopped(copy: Place) -> None:
    stages = copy.content["stages"]
    copy.update(stages={k: v for k, v in stages.items() if k in ("frames", "features")})
    shutil.rmtree(copy.model_dir)
    (copy.reconstruction_dir / "doctor.json").unlink()
    copy.poses_path.unlink()  # even the list of frames may be missing: the pictures are there
    diagnosis = diagnose(examine_place(copy))
    build = diagnosis.findings[0]
    assert (build.severity, build.measured) == ("problem", "stopped before matches")
    assert build.fix == f"sightline build {copy.content['source']} {copy.root}"
    assert diagnosis.findings[1].measured == f"0 of {FRAMES} (0%)"
    assert diagnosis.exit_code == 1


def test_a_place_without_pictures_or_poses_is_one_line(tmp_path: Path) -> None:
    place = Place.create(tmp_path / "place", source="walk.mp4")
    with pytest.raises(PlaceError, match="has no frames yet"):
        examine_place(place)


def unpose(exam: Examination, rows: range) -> None:
    exam.frames = [f.with_pose(None) if i in rows else f for i, f in enumerate(exam.frames)]


@pytest.mark.parametrize(
    ("out", "severity"), [(2, "good"), (3, "note"), (9, "warning"), (21, "problem")]
)
def test_frames_left_out(exam: Examination, out: int, severity: str) -> None:
    unpose(exam, range(5, 5 + out))
    found = of(exam, "frames in the map")
    assert found.severity == severity
    assert found.frames == tuple(NAMES[5 : 5 + out])
    assert ("--frames.fps 10" in found.fix) == (severity != "good")


@pytest.mark.parametrize(
    ("cause", "flags"),
    [
        (doctor.BLUR, " --frames.sharpest"),
        (doctor.OVERLAP, " --frames.fps 10"),
        (doctor.TEXTURELESS, " --reconstruction.quality high"),
        (doctor.REJECTED, " --reconstruction.quality high"),
        (doctor.MASKED, ""),
    ],
)
def test_the_remedy_follows_the_likely_cause(exam: Examination, cause: str, flags: str) -> None:
    exam.report = {"unregistered": {**dict.fromkeys(NAMES[5:14], cause), NAMES[14]: "other"}}
    unpose(exam, range(5, 15))
    found = of(exam, "frames in the map")
    assert found.advice.startswith(f"{cause}: 9, other: 1; ")
    assert found.fix.endswith(f"-2{flags}")


@pytest.mark.parametrize(
    ("models", "severity"),
    [([40], "good"), ([40, 3], "good"), ([38, 2], "note"), ([30, 8], "warning")],
)
def test_components(exam: Examination, models: list[int], severity: str) -> None:
    exam.models = models
    found = of(exam, "components")
    assert found.severity == severity
    assert bool(found.fix) == (severity != "good")


@pytest.mark.parametrize(
    ("unit", "gap", "severity"),
    [
        ("m", 0.04, "good"),  # 0.27% of 15 m, but below 5 cm
        ("arbitrary", 0.04, "warning"),
        ("arbitrary", 0.02, "good"),
        ("m", 0.1, "warning"),
        ("m", 0.4, "problem"),
    ],
)
def test_loop_gap(exam: Examination, unit: str, gap: float, severity: str) -> None:
    say(exam, unit=unit)
    one = LoopGap(NAMES[1], NAMES[37], gap, 0.5, 15.0, 80)
    others = [dataclasses.replace(one, gap=g) for g in (0.0, 9.0)]
    exam.revisits = Revisits(9, (others[0], one, others[1]))
    found = of(exam, "loop gap")
    assert found.severity == severity
    length = "m" if unit == "m" else "map units"
    assert found.measured.startswith(f"{gap:g} {length} and 0.5 deg after a way of 15 ")
    assert found.frames == (() if severity == "good" else (NAMES[37], NAMES[1]))
    assert ("sightline build" in found.fix) == (severity != "good")


def test_no_return_and_pairs_that_the_build_refused(exam: Examination) -> None:
    exam.revisits = Revisits(0, ())
    assert of(exam, "loop gap").measured == "not measured: the walk comes back to no spot"
    asks = "asks for a correction of 0.9 and 2.0 deg; drift explains 0.5 and 8 deg"
    row = {"a": NAMES[1], "b": NAMES[37], "believed": False, "reason": asks}
    lone = {**row, "reason": "0 of 3 neighbouring pairs agree"}
    far = {**row, "reason": "the map puts them too far apart for drift to explain"}
    exam.report = {"loops": {"closed": False, "candidates": [row, lone, far]}}
    assert of(exam, "loop gap").severity == "note"
    exam.report = {"loops": {"closed": False, "candidates": [row, row, lone, far]}}
    found = of(exam, "loop gap")
    assert (found.severity, found.frames) == ("warning", (NAMES[37], NAMES[1]))
    assert asks in found.measured
    assert found.measured.startswith("2 of 3 pairs look like one spot")
    exam.report = {"loops": {"closed": True, "candidates": [row]}}
    assert of(exam, "loop gap").severity == "note"


def move(exam: Examination, rows: range) -> None:
    poses = ring_poses()
    up = np.array([0.0, 0.0, 8.0])
    for i in rows:
        exam.frames[i] = exam.frames[i].with_pose(Pose(poses.q_wxyz[i], poses.translation[i] + up))


def test_a_teleported_pose(copy: Place) -> None:
    frames = copy.frames()
    poses = ring_poses()
    far = Pose(poses.q_wxyz[12], poses.translation[12] + np.array([0.0, 0.0, 8.0]))
    frames[12] = frames[12].with_pose(far)
    copy.write_frames(frames)
    exam = examine_place(copy)
    found = of(exam, "jumps")
    assert (found.severity, found.frames) == ("problem", (NAMES[12],))  # 1 of 39 is above 2%
    assert "1 in 39 steps, 0 with no way back" in found.measured
    stray = of(exam, "poses and map")
    assert (stray.severity, stray.frames) == ("problem", (NAMES[12],))
    assert stray.value == pytest.approx(8.0)
    assert stray.fix == f"sightline align {copy.root} --control control.csv"


def test_a_break(exam: Examination) -> None:
    move(exam, range(20, FRAMES))
    found = of(exam, "jumps")
    assert found.severity == "problem"
    assert "1 with no way back; worst from 0019.png to 0020.png" in found.measured


def test_photos_have_no_jumps(exam: Examination) -> None:
    exam.frames = [dataclasses.replace(f, timestamp_s=None) for f in exam.frames]
    found = of(exam, "jumps")
    assert found.severity == "note"
    assert found.measured == "not measured: photos have no order in time"


@pytest.mark.parametrize(
    ("off", "severity"),
    [({5: 1.5}, "note"), ({5: 1.5, 8: 2.0, 9: 3.0}, "warning"), ({5: 0.4}, "good")],
)
def test_frames_that_do_not_fit(exam: Examination, off: dict[int, float], severity: str) -> None:
    assert exam.fit is not None
    exam.fit.errors_px[:] = 0.1
    for row, error in off.items():
        exam.fit.errors_px[row] = error
    found = of(exam, "reprojection error")
    assert found.severity == severity
    worst = sorted(off, key=lambda row: -off[row])
    assert found.frames == (() if severity == "good" else tuple(NAMES[i] for i in worst))
    assert f"worst {max(off.values()):.2f} px" in found.measured


@pytest.mark.parametrize(("error", "severity"), [(0.9, "good"), (1.5, "warning"), (3, "problem")])
def test_a_map_that_does_not_fit(exam: Examination, error: float, severity: str) -> None:
    assert exam.fit is not None
    exam.fit.errors_px[:] = error
    assert of(exam, "reprojection error").severity == severity


@pytest.mark.parametrize(
    ("doubted", "starts", "severity"), [(0, 1, "good"), (1, 4, "note"), (7, 4, "warning")]
)
def test_matches_that_the_map_does_not_explain(
    exam: Examination, doubted: int, starts: int, severity: str
) -> None:
    assert "matches explained" not in {f.check for f in diagnose(exam).findings}  # an older build
    below = {name: 0.5 + 0.01 * i for i, name in enumerate(NAMES[:doubted])}
    exam.report |= {
        "registered": FRAMES,
        "agreement": {"share": 0.957, "doubted": below},
        "attempts": [{"mapper": "incremental"}] * starts,
    }
    found = of(exam, "matches explained")
    assert (found.severity, found.frames) == (severity, tuple(below))
    assert found.measured.startswith("95.7% of all")
    assert ("the best of 4 starts" in found.measured) == (starts == 4)
    assert ("--reconstruction.quality" in found.fix) == (severity != "good")
    # one start of a named mapper: first the starts that the usual one makes, at the same cost
    made = dataclasses.replace(exam.config.reconstruction, mapper="global")
    exam.config = dataclasses.replace(exam.config, reconstruction=made)
    fix = of(exam, "matches explained").fix
    assert "--reconstruction.quality" not in fix
    assert "--reconstruction.mapper" not in fix  # auto is what a build does by itself


def test_points_seen_and_parallax(exam: Examination) -> None:
    assert exam.fit is not None
    exam.fit.observations[[3, 7, 8]] = [29, 4, 12]
    exam.fit.angles_deg[:] *= 1.4 / np.median(exam.fit.angles_deg)
    seen = of(exam, "points seen")
    assert (seen.severity, seen.frames) == ("warning", (NAMES[7], NAMES[8], NAMES[3]))
    parallax = of(exam, "parallax")
    assert parallax.severity == "warning"
    assert parallax.value == pytest.approx(1.4)
    exam.fit.angles_deg[:] *= 0.5
    assert of(exam, "parallax").severity == "problem"


def test_turning_on_the_spot(exam: Examination) -> None:
    assert exam.model is not None
    poses = ring_poses()
    frames = dict(exam.model.frames)
    for i in range(11, 16):  # the walk stands still and turns by 50 degrees
        still = Pose(poses.q_wxyz[i], poses.translation[10])
        frames[NAMES[i]] = dataclasses.replace(frames[NAMES[i]], world_from_cam=still)
    exam.model = dataclasses.replace(exam.model, frames=frames)
    found = of(exam, "turns on the spot")
    assert (found.severity, found.frames) == ("note", (NAMES[10], NAMES[15]))
    assert "1, 13% of the walk; most: 50 deg from 0010.png to 0015.png" in found.measured


def test_blurred_frames(copy: Place) -> None:
    for i in (3, 9, 15, 21, 27):
        soft = cv2.GaussianBlur(picture(i), (0, 0), 4)
        cv2.imwrite(str(copy.images_dir / NAMES[i]), soft)
    exam = examine_place(copy)
    found = of(exam, "blur")
    assert found.severity == "warning"
    assert set(found.frames) == {NAMES[i] for i in (3, 9, 15, 21, 27)}
    assert found.fix.endswith("--frames.sharpest")
    for name in (*NAMES[3:10:6], *NAMES[15:22:6]):
        exam.pictures[name] = exam.pictures[NAMES[0]]
    assert of(exam, "blur").severity == "note"


def test_a_walk_that_is_blurred_from_end_to_end(copy: Place) -> None:
    for i in range(FRAMES):
        soft = cv2.GaussianBlur(picture(i).astype(np.float64), (0, 0), 5)
        soft = np.clip(128 + 45 * (soft - soft.mean()) / soft.std(), 0, 255).astype(np.uint8)
        cv2.imwrite(str(copy.images_dir / NAMES[i]), soft)
    found = of(examine_place(copy), "blur")
    assert (found.severity, found.frames) == ("warning", ())
    assert "the whole walk is soft" in found.measured


def test_low_contrast_is_no_blur(exam: Examination) -> None:
    for name, p in exam.pictures.items():
        exam.pictures[name] = dataclasses.replace(
            p, sharpness=0.01 * p.sharpness, contrast=0.1 * p.contrast
        )
    assert of(exam, "blur").severity == "good"


def test_dark_and_burnt_frames(exam: Examination) -> None:
    night = dataclasses.replace(
        exam.pictures[NAMES[4]], brightness=9.0, black=0.7, sharpness=1.0, contrast=1.0
    )
    exam.pictures[NAMES[4]] = night
    exam.pictures[NAMES[30]] = dataclasses.replace(exam.pictures[NAMES[30]], burnt=0.4)
    found = of(exam, "light")
    assert (found.severity, found.frames) == ("note", (NAMES[4], NAMES[30]))
    assert "1 too dark (0004.png); 1 burnt out (0030.png)" in found.measured
    assert of(exam, "blur").severity == "good"  # a frame without light has no edges
    exam.pictures |= dict.fromkeys(NAMES[10:35], night)
    found = of(exam, "light")
    assert found.severity == "problem"
    assert found.fix.endswith("--min-utility 0.3")


def test_texture(exam: Examination) -> None:
    exam.features |= {NAMES[2]: 40, NAMES[3]: 60}
    found = of(exam, "texture")
    assert (found.severity, found.frames) == ("note", (NAMES[2], NAMES[3]))
    assert found.bound == "100 features in every frame"
    # An imported place has no features: corners are counted.
    exam.features = {}
    exam.pictures[NAMES[6]] = dataclasses.replace(exam.pictures[NAMES[6]], corners=3)
    found = of(exam, "texture")
    assert found.frames == (NAMES[6],)
    assert found.bound == "60 corners in every frame"


def test_pictures_that_do_not_read(copy: Place) -> None:
    (copy.images_dir / NAMES[2]).unlink()
    (copy.images_dir / NAMES[5]).write_bytes(b"no picture")
    found = of(examine_place(copy), "pictures")
    assert (found.severity, found.frames) == ("problem", (NAMES[2], NAMES[5]))
    assert found.measured.startswith("38 of 40 (95%) read; not 0002.png, 0005.png (")


@pytest.mark.parametrize(("roll", "severity"), [(5, "good"), (30, "note"), (90, "warning")])
@pytest.mark.parametrize("up_from", ["control points", "cameras"])
def test_upright(exam: Examination, roll: float, severity: str, up_from: str) -> None:
    say(exam, alignment={**exam.place.alignment, "up_from": up_from})
    poses = ring_poses()
    turned = poses.rotation * Rotation.from_euler("z", roll, degrees=True)
    poses = Pose.from_rotation(turned, poses.translation)
    exam.frames = [f.with_pose(poses[i]) for i, f in enumerate(exam.frames)]
    if up_from == "cameras" and severity == "note":
        severity = "good"  # the walk alone tells only whether its floor stands upright
    found = of(exam, "upright")
    assert found.severity == severity
    assert found.fix.startswith("ffmpeg -display_rotation 90 -i ") == (severity == "warning")


def test_upright_is_not_guessed(exam: Examination) -> None:
    say(exam, alignment={**exam.place.alignment, "up_from": "cameras"})
    line = np.c_[0.5 * np.arange(FRAMES), np.zeros((FRAMES, 2))]
    poses = Pose(ring_poses().q_wxyz, line)
    exam.frames = [f.with_pose(poses[i]) for i, f in enumerate(exam.frames)]
    assert of(exam, "upright").measured.startswith("not measured")


@pytest.mark.parametrize(
    ("params", "severity"),
    [
        ((80.0, 79.5, 59.5, 0.0), "good"),
        ((72.0, 79.5, 59.5, 0.0), "warning"),
        ((80.0, 99.5, 59.5, 0.0), "warning"),
        ((32.0, 79.5, 59.5, 0.0), "problem"),
        ((900.0, 79.5, 59.5, 0.0), "problem"),
        ((80.0, 79.5, 59.5, -0.4), "problem"),
    ],
)
def test_intrinsics(exam: Examination, params: tuple[float, ...], severity: str) -> None:
    assert exam.model is not None
    camera = Camera("SIMPLE_RADIAL", 160, 120, params)
    exam.model = dataclasses.replace(exam.model, cameras={1: camera})
    found = of(exam, "intrinsics")
    assert found.severity == severity
    assert found.value == pytest.approx(params[0] / 160)
    assert ("--reconstruction.camera-params" in found.fix) == (severity != "good")


def test_pictures_of_another_size_than_their_camera(exam: Examination) -> None:
    exam.pictures[NAMES[3]] = dataclasses.replace(exam.pictures[NAMES[3]], width=80, height=60)
    found = of(exam, "intrinsics")
    assert found.severity == "problem"
    assert "0003.png is 80x60, its camera 160x120" in found.measured


def test_an_alignment_of_another_map(copy: Place) -> None:
    with (copy.model_dir / "points3D.txt").open("a") as stream:
        stream.write("# changed\n")
    found = of(examine_place(copy), "poses and map")
    assert found.severity == "problem"
    assert "another map" in found.measured


@pytest.mark.parametrize(("rms", "severity"), [(0.05, "good"), (0.15, "warning"), (0.4, "problem")])
def test_residuals(exam: Examination, rms: float, severity: str) -> None:
    say(exam, alignment={**exam.place.alignment, "residual_rms": rms})
    assert of(exam, "scale").severity == severity
    residuals = [{"label": "line 4", "error": 1.0, "used": False}]
    say(exam, alignment={**exam.place.alignment, "residuals": residuals})
    found = of(exam, "scale")
    assert found.severity == ("note" if severity == "good" else severity)
    assert "left out: line 4" in found.measured


def test_scale_that_is_not_known(exam: Examination) -> None:
    say(exam, unit="arbitrary")
    found = of(exam, "scale")
    assert found.severity == "note"
    root = exam.place.root
    assert found.fix == f"sightline align {root} --distance 0002.png 0020.png METRES"


def test_splits_that_leak(exam: Examination) -> None:
    exam.frames = assign_split(exam.frames, "mod3")
    say(exam, split=None)
    assert of(exam, "split").fix == ""  # parts that came with the data stay as they are
    say(exam, split="mod3")
    found = of(exam, "split")
    assert found.severity == "warning"
    assert found.fix == f"sightline split {exam.place.root} block"
    assert found.value == 1.0
    assert len(found.frames) == 13
    # Ten seconds lie between one frame and the next: neighbours no more.
    exam.frames = [dataclasses.replace(f, timestamp_s=10.0 * i) for i, f in enumerate(exam.frames)]
    assert of(exam, "split").value == 0.0
    exam.frames = [f.with_split("") for f in exam.frames]
    assert of(exam, "split").measured.startswith("none")
    exam.frames = assign_split(exam.frames, "second-walk")
    say(exam, split="second-walk")
    assert of(exam, "split").severity == "good"


def put_parts(exam: Examination, parts: dict[int, str]) -> None:
    exam.frames = [f.with_split(parts.get(i, "")) for i, f in enumerate(exam.frames)]


def test_leaks_are_looked_for_by_time_and_not_by_place_in_the_list(exam: Examination) -> None:
    # 0.2 s from frame to frame: five frames are a second, and what lies between has no part.
    put_parts(exam, {4: "train", 9: "test", 10: "test", 15: "test"})
    assert of(exam, "split").frames == (NAMES[9],)
    put_parts(exam, {4: "train", 6: "validation", 7: "test"})
    assert of(exam, "split").frames == (NAMES[7],)
    # A second recording of the same seconds is another walk: no neighbours.
    again = [
        dataclasses.replace(f, image=f"b-{f.image}", split="test" if f.split else "")
        for f in exam.frames
    ]
    exam.frames = [f.with_split("train" if f.split else "") for f in exam.frames] + again
    assert of(exam, "split").value == 0.0


def test_recordings_that_were_added_are_walks_of_their_own(exam: Examination) -> None:
    """Their times may go on where those of the build end."""
    put_parts(exam, dict.fromkeys(range(20), "train") | dict.fromkeys(range(20, 40), "test"))
    leaking = of(exam, "split").frames
    assert leaking == tuple(NAMES[20:25])
    exam.frames[20:] = [dataclasses.replace(f, image=f"b-{f.image}") for f in exam.frames[20:]]
    assert len(of(exam, "split").frames) == 5
    say(exam, added=[{"prefix": "b-"}])
    assert of(exam, "split").frames == ()
    assert [len(part) for part in exam.recordings()] == [20, 20]


def test_photos_without_times_are_neighbours_in_the_list(exam: Examination) -> None:
    exam.frames = [dataclasses.replace(f, timestamp_s=None) for f in exam.frames]
    put_parts(exam, {4: "train", 5: "test", 7: "test"})
    assert of(exam, "split").frames == (NAMES[5],)


@pytest.mark.parametrize(
    "alignment",
    [
        "by gravity",
        {"scale": "large", "q_wxyz": [1, 0, 0, 0], "translation": [0, 0, 0]},
        {"scale": 1.0, "q_wxyz": [1, 0], "translation": [0, 0, 0]},
        {"method": "control"},
    ],
)
def test_a_damaged_alignment_is_a_finding(copy: Place, alignment: object) -> None:
    copy.update(alignment=alignment)
    exam = examine_place(copy)
    diagnosis = diagnose(exam)
    build = diagnosis.findings[0]
    assert (build.severity, build.check) == ("problem", "build")
    assert build.measured.startswith("1 damaged: place.toml [alignment] (")
    method = " --control control.csv" if alignment == {"method": "control"} else ""
    assert build.fix == f"sightline align {copy.root}{method}"
    # How long a way is in metres is not known then.
    assert "map units" in of(exam, "loop gap").measured
    assert of(exam, "poses and map").measured == "not measured: the alignment does not read"
    json.dumps(diagnosis.to_json(), allow_nan=False)


def test_odd_numbers_of_an_alignment_are_no_fault_of_the_doctors(exam: Examination) -> None:
    good = exam.place.alignment
    for odd in ({"residual_rms": float("nan")}, {"residuals": 7}, {"residual_rms": "small"}):
        say(exam, alignment={**good, **odd})
        json.dumps(diagnose(exam).to_json(), allow_nan=False)
        assert of(exam, "scale").severity == "good"


@pytest.mark.parametrize("form", ["text", "binary"])
def test_a_map_without_frames_is_a_finding(copy: Place, form: str) -> None:
    for name in ("images.txt", "points3D.txt"):
        (copy.model_dir / name).write_text("# none\n")
    if form == "binary":
        export_model(copy.model_dir, copy.root / "other", "binary")
        shutil.rmtree(copy.model_dir)
        (copy.root / "other").rename(copy.model_dir)
    build = diagnose(examine_place(copy)).findings[0]
    assert build.severity == "problem"
    assert "reconstruction/model (a map with frames is wanted, it has none)" in build.measured


def imported(copy: Place, cameras: dict[str, Camera]) -> Place:
    shutil.rmtree(copy.reconstruction_dir)
    copy.update(stages={"images": "0"}, frames=None, alignment=None, features=None)
    set_cameras(copy, cameras, NAMES)
    return copy


def test_each_camera_of_an_imported_place_is_looked_at(copy: Place) -> None:
    good = Camera("PINHOLE", 160, 120, (140.0, 140.0, 79.5, 59.5))
    odd = Camera("PINHOLE", 160, 120, (20.0, 20.0, 79.5, 59.5))
    large = Camera("PINHOLE", 320, 240, (280.0, 280.0, 159.5, 119.5))
    cameras = {**dict.fromkeys(NAMES[:20], good), NAMES[7]: odd, NAMES[9]: large}
    place = imported(copy, cameras)
    exam = examine_place(place)
    found = of(exam, "intrinsics")
    assert found.severity == "problem"
    assert found.frames == (NAMES[7], NAMES[9])
    assert "a focal length of 0.12 is no lens's" in found.measured
    assert f"{NAMES[9]} is 160x120, its camera 320x240" in found.measured
    assert "the first of 3 cameras" in found.measured
    exam.cameras = dict.fromkeys(NAMES, good)
    assert of(exam, "intrinsics").severity == "good"
    (place.root / "cameras.csv").write_text("image,model\n")
    build = diagnose(examine_place(place)).findings[0]
    assert "1 damaged: cameras.csv (" in build.measured


def test_a_camera_of_the_upright_picture_is_of_its_size(copy: Place) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (160, 120)).save(copy.images_dir / NAMES[3], exif=exif)
    tall = Camera("PINHOLE", 120, 160, (140.0, 140.0, 59.5, 79.5))
    exam = examine_place(imported(copy, {NAMES[3]: tall}))
    assert of(exam, "intrinsics").severity == "good"


def test_an_imported_place(copy: Place) -> None:
    shutil.rmtree(copy.reconstruction_dir)
    copy.update(stages={"images": "0"}, frames=None, alignment=None, features=None)
    diagnosis = diagnose(examine_place(copy))
    found = {f.check: f for f in diagnosis.findings}
    assert found["build"].severity == "note"
    assert found["build"].fix == f"sightline build {copy.images_dir} {copy.root}-2"
    assert not {"components", "loop gap", "reprojection error", "intrinsics"} & set(found)
    assert found["jumps"].severity == "good"
    assert diagnosis.exit_code == 0


def test_three_frames(exam: Examination) -> None:
    exam.frames = exam.frames[:3]
    exam.pictures = {name: exam.pictures[name] for name in NAMES[:3]}
    exam.revisits = Revisits(0, ())
    diagnosis = diagnose(exam)
    found = {f.check: f.severity for f in diagnosis.findings}
    assert found["frames in the map"] == "good"
    assert found["loop gap"] == "note"
    assert diagnosis.exit_code == 0
    unpose(exam, range(1))
    assert of(exam, "frames in the map").severity == "problem"  # two make no map


@pytest.mark.parametrize(
    "file", ["doctor.json", "database.db", "model/points3D.txt", "model/images.txt"]
)
def test_damaged_files_are_a_finding(copy: Place, file: str) -> None:
    (copy.reconstruction_dir / file).write_bytes(b"\x00\xffdamaged 1 2 3\n" * 40)
    diagnosis = diagnose(examine_place(copy))
    found = diagnosis.findings[0]
    assert (found.check, found.severity) == ("build", "problem")
    assert f"reconstruction/{file.partition('/')[0]}" in found.measured
    assert "\n" not in found.measured
    json.dumps(diagnosis.to_json(), allow_nan=False)


def test_a_plan_whose_picture_is_gone_is_a_finding(copy: Place) -> None:
    copy.plan_path.write_text(
        'image = "none.png"\nwidth = 9\nheight = 9\npx_from_world = [[1, 0, 0], [0, 1, 0]]\n'
    )
    found = diagnose(examine_place(copy)).findings[0]
    assert found.severity == "problem"
    assert "none.png" in found.measured


def test_damaged_poses_are_one_line(copy: Place) -> None:
    copy.poses_path.write_text("image,x\n")
    with pytest.raises(InputError, match="columns"):
        examine_place(copy)


def test_two_recordings_that_hold_the_same_seconds(exam: Examination) -> None:
    frames = [PosedFrame(f"b-{f.image}", f.timestamp_s, f.world_from_cam) for f in exam.frames]
    exam.frames = [*exam.frames, *frames]
    assert of(exam, "jumps").severity == "good"


def test_grades_and_lists() -> None:
    bounds = {"note": 1.0, "warning": 2.0, "problem": 3.0}
    grades = [graded(v, **bounds) for v in (1, 1.1, 2, 2.1, 3.1)]
    assert grades == ["good", "note", "note", "warning", "problem"]
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"
