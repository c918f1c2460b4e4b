"""``sightline relate`` as a shell sees it: rendered pairs with exact truth, and every odd input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

import floor_place as fp
from sightline import relate
from sightline.cli.main import main
from sightline.errors import GeometryError
from sightline.geometry import Camera, Pose
from sightline.geometry.pose import relative_pose
from sightline.geometry.rotation import rotation_angle_deg
from sightline.worlds.floor.geometry import build_floor
from sightline.worlds.renderer import MeshRenderer

pytestmark = [pytest.mark.egl, pytest.mark.slow]

CAMERA = Camera("PINHOLE", 480, 640, (430.0, 430.0, 239.5, 319.5))
NUMBERS = ["430", "430", "239.5", "319.5"]


@dataclass(frozen=True, eq=False)
class Shots:
    """Photos on disk; ``a`` and ``b`` stand 0.4 m apart, ``turned`` where ``a`` stands."""

    folder: Path
    b_from_a: Pose
    turned_from_a: Pose

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Shots:
    folder = tmp_path_factory.mktemp("pairs")
    world_from_a = fp.walk_poses()[4]
    step = Pose.from_rotation(Rotation.from_euler("y", 6, degrees=True), [0.35, -0.05, 0.15])
    turn = Pose.from_rotation(Rotation.from_euler("yx", [9, 3], degrees=True), [0.0, 0.0, 0.0])
    with MeshRenderer(build_floor(fp.floor_config())) as renderer:
        poses = Pose.stack([world_from_a, world_from_a @ step, world_from_a @ turn])
        pictures = fp.render(renderer, poses, CAMERA)
    for name, picture in zip(("a", "b", "turned"), pictures, strict=True):
        Image.fromarray(picture).save(folder / f"{name}.jpg", quality=95)
    Image.fromarray(pictures[1]).resize((360, 480)).save(folder / "small-b.png")
    Image.fromarray(np.full((640, 480, 3), 128, np.uint8)).save(folder / "blank.png")
    (folder / "text.jpg").write_text("not a picture")
    return Shots(
        folder,
        relative_pose(poses[1], poses[0]),
        relative_pose(poses[2], poses[0]),
    )


def shell(
    capfd: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, list[dict[str, object]]]:
    capfd.readouterr()
    code = main(["relate", *arguments, "--json"])
    return code, [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def errors_deg(answer: dict[str, object], true: Pose) -> tuple[float, float]:
    q, t = np.array(answer["q_wxyz"]), np.array(answer["t"])
    cosine = t @ true.translation / np.linalg.norm(t) / np.linalg.norm(true.translation)
    return float(rotation_angle_deg(q, true.q_wxyz)), float(np.rad2deg(np.arccos(cosine)))


KEYS = ["status", "method", "q_wxyz", "t", "t_unit", "inliers", "confidence", "seconds"]


@pytest.mark.parametrize("method", ["auto", "sift", "sift+opencv", "orb", "akaze"])
def test_a_pair(shots: Shots, capfd: pytest.CaptureFixture[str], method: str) -> None:
    code, (answer,) = shell(
        capfd, shots["a.jpg"], shots["b.jpg"], "--method", method, "--intrinsics", *NUMBERS
    )
    assert code == 0
    assert [key for key in answer if key in KEYS] == KEYS
    assert answer["status"] == "ok"
    assert answer["t_unit"] == "direction"
    assert np.linalg.norm(answer["t"]) == pytest.approx(1, abs=1e-6)
    rotation, translation = errors_deg(answer, shots.b_from_a)
    assert rotation < 1
    assert translation < (3 if method == "auto" else 8)
    assert 0 <= answer["confidence"] <= 1
    assert answer["inliers"] >= 15


def test_the_other_order_is_the_inverse(shots: Shots) -> None:
    there = relate(shots["a.jpg"], shots["b.jpg"], intrinsics=[430, 430, 239.5, 319.5]).estimate
    back = relate(shots["b.jpg"], shots["a.jpg"], intrinsics=[430, 430, 239.5, 319.5]).estimate
    both = there.pose() @ Pose(back.pose().q_wxyz, np.zeros(3))
    assert rotation_angle_deg(both.q_wxyz, [1, 0, 0, 0]) < 0.3
    turned_back = -(there.pose().rotation_matrix @ back.pose().translation)
    assert turned_back @ there.pose().translation > np.cos(np.deg2rad(3))


def test_metres_by_a_known_baseline(shots: Shots, capfd: pytest.CaptureFixture[str]) -> None:
    length = float(np.linalg.norm(shots.b_from_a.translation))
    code, (answer,) = shell(
        capfd, shots["a.jpg"], shots["b.jpg"], "--intrinsics", *NUMBERS, "--baseline", str(length)
    )
    assert code == 0
    assert answer["t_unit"] == "m"
    off = np.subtract(answer["t"], shots.b_from_a.translation)
    assert np.linalg.norm(off) < 0.03


@pytest.mark.parametrize("names", [("a.jpg", "a.jpg"), ("a.jpg", "turned.jpg")])
def test_no_translation_is_made_up(
    shots: Shots, capfd: pytest.CaptureFixture[str], names: tuple[str, str]
) -> None:
    code, (answer,) = shell(capfd, *(shots[n] for n in names), "--intrinsics", *NUMBERS)
    assert code == 1
    assert answer["status"] == "rotation_only"
    assert answer["t"] is None
    assert answer["t_unit"] is None
    true = shots.turned_from_a if names[1] == "turned.jpg" else Pose.identity()
    assert rotation_angle_deg(np.array(answer["q_wxyz"]), true.q_wxyz) < 0.2
    main(["relate", *(shots[n] for n in names), "--intrinsics", *NUMBERS])
    assert "no translation to tell" in capfd.readouterr().out
    found = relate(*(shots[n] for n in names), intrinsics=[430, 430, 239.5, 319.5])
    with pytest.raises(GeometryError, match="the camera only turned"):
        found.estimate.pose()


@pytest.mark.parametrize("method", ["auto", "sift", "orb", "akaze"])
def test_blank_images(shots: Shots, capfd: pytest.CaptureFixture[str], method: str) -> None:
    for names in (("blank.png", "blank.png"), ("a.jpg", "blank.png")):
        code, (answer,) = shell(capfd, *(shots[n] for n in names), "--method", method)
        if method == "auto":
            assert answer["confidence"] < 0.3
        else:
            assert code == 1
            assert answer["status"] == "failed"
            assert answer["q_wxyz"] is None
            assert answer["confidence"] == 0
            assert answer["reason"]


def test_images_of_two_sizes(shots: Shots, capfd: pytest.CaptureFixture[str]) -> None:
    small = ["322.5", "322.5", "179.5", "239.5"]
    code, (answer,) = shell(
        capfd, shots["a.jpg"], shots["small-b.png"], "--intrinsics", *NUMBERS, *small
    )
    assert code == 0
    rotation, translation = errors_deg(answer, shots.b_from_a)
    assert rotation < 1
    assert translation < 5


def test_without_intrinsics_it_says_that_they_are_a_guess(
    shots: Shots, capfd: pytest.CaptureFixture[str]
) -> None:
    code, (answer,) = shell(capfd, shots["a.jpg"], shots["b.jpg"])
    assert answer["intrinsics"] == ["guess", "guess"]
    assert code == 0
    main(["relate", shots["a.jpg"], shots["b.jpg"]])
    assert "(intrinsics guessed)" in capfd.readouterr().out


def test_a_list_one_line_each(shots: Shots, capfd: pytest.CaptureFixture[str]) -> None:
    path = shots.folder / "list.csv"
    cells = ",".join(NUMBERS)
    names = [f"{n}_{side}" for side in "ab" for n in ("fx", "fy", "cx", "cy")]
    path.write_text(
        f"image_a,image_b,{','.join(names)}\na.jpg,b.jpg,{cells},{cells}\n"
        f"a.jpg,blank.png,,,,,,,,\nb.jpg,a.jpg,{cells},{cells}\n"
    )
    code, answers = shell(capfd, "--pairs", str(path), "--method", "sift")
    assert code == 1
    assert [a["status"] for a in answers] == ["ok", "failed", "ok"]
    assert errors_deg(answers[0], shots.b_from_a)[0] < 1
    assert errors_deg(answers[2], shots.b_from_a.inverse())[0] < 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{a}"], "two photos are wanted, 1 came"),
        (["{a}", "{text}"], "a photo (JPEG, PNG"),
        (["{a}", "{none}"], "none.jpg"),
        (["{a}", "{b}", "--method", "swift"], "'swift' came"),
        (["{a}", "{b}", "--intrinsics", "1", "2", "3"], "3 came"),
        (["{a}", "{b}", "--pairs", "x.csv"], "both came"),
        (["{a}", "{b}", "--baseline", "0"], "a baseline above 0 m"),
        (["{a}", "{b}", "--place", "{folder}"], "is not a place"),
        (["{a}", "{b}", "--method", "cnn", "--run", "{folder}"], "config.toml"),
        (["--pairs", "{none}"], "there is no such file"),
        (["--pairs", "{text}"], "the columns image_a,image_b are wanted"),
    ],
)
def test_clear_errors(
    shots: Shots, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    names = {
        "a": shots["a.jpg"], "b": shots["b.jpg"], "text": shots["text.jpg"],
        "none": shots["none.jpg"], "folder": str(shots.folder),
    }  # fmt: skip
    assert main(["relate", *(a.format(**names) for a in arguments)]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert says in line


def test_metres_by_a_place(floor: fp.FloorPlace, capfd: pytest.CaptureFixture[str]) -> None:
    k = floor.camera
    poses = floor.true_queries
    true = relative_pose(poses[1], poses[0])
    numbers = [f"{v:.6f}" for v in (k.fx, k.fy, k.cx, k.cy)]
    photos = [str(path) for path in floor.queries[:2]]
    code, (answer,) = shell(capfd, *photos, "--intrinsics", *numbers, "--place", str(floor.root))
    assert code == 0
    assert answer["t_unit"] == "m"
    length = np.linalg.norm(true.translation)
    assert np.linalg.norm(answer["t"]) == pytest.approx(length, rel=0.15)
    rotation, translation = errors_deg(answer, true)
    assert rotation < 1
    assert translation < 10
