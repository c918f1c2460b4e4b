"""The doctor as a shell sees it: its table, page, JSON and exit codes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from ring_place import FRAMES, NAMES, picture, write_ring_place
from sightline.cli.main import main
from sightline.records import Place
from sightline.records.cameras import place_cameras
from sightline.records.splits import assign_split


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return write_ring_place(tmp_path_factory.mktemp("healthy") / "place")


@pytest.fixture
def ill(healthy: Place, tmp_path: Path) -> Place:
    """A place with a blurred frame, frames left out, a jump, and a split that leaks."""
    place = Place.open(shutil.copytree(healthy.root, tmp_path / "a place"))
    frames = assign_split(place.frames(), "mod3")
    pose = frames[20].world_from_cam
    assert pose is not None
    frames[20] = frames[20].with_pose(
        type(pose)(pose.q_wxyz, np.add(pose.translation, [0, 0, 9.0]))
    )
    place.write_frames([f.with_pose(None) if 5 <= i < 9 else f for i, f in enumerate(frames)])
    soft = cv2.GaussianBlur(picture(30), (0, 0), 4)
    cv2.imwrite(str(place.images_dir / NAMES[30]), soft)
    return place


def test_a_healthy_place_exits_with_0(healthy: Place, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["doctor", str(healthy.root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{FRAMES} of {FRAMES} frames registered, ")
    assert lines[-1] == "healthy: 1 note"
    assert sum(line.startswith("good ") for line in lines) == 17
    assert max(len(line) for line in lines if "$ " not in line and line != lines[0]) <= 80


def test_warnings_exit_with_3(healthy: Place, tmp_path: Path, capsys) -> None:
    place = Place.open(shutil.copytree(healthy.root, tmp_path / "place"))
    place.write_frames(assign_split(place.frames(), "mod3"))
    assert main(["doctor", str(place.root)]) == 3
    assert capsys.readouterr().out.splitlines()[-1] == "1 warning"


def test_problems_exit_with_1_and_commands_can_be_pasted(ill: Place, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    assert main(["doctor", str(ill.root)]) == 1
    lines = capsys.readouterr().out.splitlines()
    fixes = [line.strip().removeprefix("$ ") for line in lines if "$ " in line]
    assert f"sightline split '{ill.root}' block" in fixes
    assert f"sightline align '{ill.root}' --control control.csv" in fixes
    source = ill.content["source"]
    assert f"sightline build {source} '{ill.root}-2' --frames.fps 10" in fixes
    assert re.fullmatch(r"2 problems, 1 warning, \d notes", lines[-1])


def test_json_on_stdout_and_in_a_file(ill: Place, tmp_path: Path, capsys) -> None:
    file = tmp_path / "out" / "doctor.json"
    assert main(["doctor", str(ill.root), "--json", "--json-file", str(file)]) == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    content = json.loads(out)
    assert content == json.loads(file.read_text())
    assert (content["severity"], content["exit_code"]) == ("problem", 1)
    assert [f["image"] for f in content["frames"] if not f["posed"]] == NAMES[5:9]


def test_the_page_opens_offline_and_shows_the_worst_frames(ill: Place, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert main(["doctor", str(ill.root), "--html", str(page)]) == 1
    text = page.read_text()
    assert not re.search(r"(src|href)=['\"](?!data:)", text)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert "blur: the worst frames" in text
    captions = re.findall(r"<figcaption>([^<]+)</figcaption>", text)
    assert {NAMES[5], NAMES[20], NAMES[30]} <= set(captions)
    assert "The walk; jumps and turns on the spot marked" in captions
    assert f"<code>sightline split &#x27;{ill.root}&#x27; block</code>" in text
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".html"] == ["a place"]


def test_a_page_of_a_place_with_nothing_but_pictures(ill: Place, tmp_path: Path) -> None:
    shutil.rmtree(ill.reconstruction_dir)
    ill.poses_path.unlink()
    (ill.images_dir / NAMES[0]).write_bytes(b"no picture")
    page = tmp_path / "report.html"
    assert main(["doctor", str(ill.root), "--html", str(page)]) == 1
    assert "Which frames are in the map" in page.read_text()


def test_what_cannot_be_looked_at_exits_with_2(ill: Place, tmp_path: Path, capsys) -> None:
    assert main(["doctor", str(ill.root), "--html", str(tmp_path)]) == 2
    ill.poses_path.write_text("no table")
    assert main(["doctor", str(ill.root)]) == 2
    (ill.root / "place.toml").write_text("= no toml")
    assert main(["doctor", str(ill.root)]) == 2
    errors = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(errors) == 3


@pytest.mark.shared
def test_real_frames_have_no_false_alarm_and_a_moved_one_is_found(
    shared_data: Path, tmp_path: Path, capsys
) -> None:
    from sightline.geometry import Pose
    from sightline.records import PosedFrame
    from sightline.records.posed_images import place_from_frames

    source = shared_data / "pose_7scenes_redkitchen"
    rows = json.loads((source / "poses.json").read_text())["frames"]
    poses = [Pose(np.array(r["qwxyz_c2w"]), np.array(r["center_xyz"])) for r in rows]
    frames = [PosedFrame(r["file"], i / 3, poses[i]) for i, r in enumerate(rows)]
    place = place_from_frames(tmp_path / "kitchen", frames, source, unit="m", link=True)
    assert main(["doctor", str(place.root), "--json"]) == 0
    checks = {f["check"]: f for f in json.loads(capsys.readouterr().out)["findings"]}
    for check in ("frames in the map", "jumps", "pictures", "blur", "light", "texture"):
        assert checks[check]["severity"] == "good", checks[check]
    moved = place.frames()
    far = Pose(poses[25].q_wxyz, np.add(poses[25].translation, [0.0, 3.0, 0.0]))
    moved[25] = moved[25].with_pose(far)
    place.write_frames(moved)
    assert main(["doctor", str(place.root), "--json"]) != 0
    checks = {f["check"]: f for f in json.loads(capsys.readouterr().out)["findings"]}
    assert checks["jumps"]["frames"] == [moved[25].image]


def test_every_command_it_gives_is_one_that_the_others_take(ill: Place) -> None:
    from sightline.app.doctor import diagnose, examine_place
    from sightline.cli.commands.align import AlignOptions
    from sightline.cli.commands.build import BuildConfig, BuildOptions
    from sightline.cli.commands.split import SplitOptions
    from sightline.cli.options import parse

    exam = examine_place(ill)
    assert exam.fit is not None
    exam.fit.observations[:] = 3
    exam.fit.angles_deg[:] = 0.5
    exam.fit.errors_px[:] = 9.0
    exam.models = [20, 9]
    exam.features = dict.fromkeys(NAMES, 5)
    exam.unreadable = {NAMES[0]: "damaged"}
    places = [diagnose(exam)]
    camera = {"model": "SIMPLE_PINHOLE", "width": 160, "height": 120, "params": [9.0, 79.5, 59.5]}
    ill.update(unit="arbitrary", camera=camera, stages={"frames": "0"}, alignment=None)
    exam.model, exam.fit, exam.cameras = None, None, place_cameras(ill, NAMES)
    places.append(diagnose(exam))
    fixes = {f.fix for diagnosis in places for f in diagnosis.findings if f.fix}
    default = BuildOptions(Path(), Path(), BuildConfig())
    seen = set()
    for fix in fixes:
        program, command, *words = shlex.split(fix)
        assert program == "sightline"
        words = ["7" if w in ("METRES", "FOCAL", "CX", "CY", "K1") else w for w in words]
        if command == "build":
            options = parse(BuildOptions, words, command=command, default=default)
            assert str(options.place).startswith(str(ill.root))
        else:
            parse({"align": AlignOptions, "split": SplitOptions}[command], words, command=command)
        seen |= {command, *(w for w in words if w.startswith("--"))}
    assert seen >= {
        "build", "align", "split", "--frames.fps", "--reconstruction.quality", "--control",
        "--frames.sharpest", "--distance", "--reconstruction.camera-params",
    }  # fmt: skip
