"""Pairs and lists of pairs through a method that is known, scales, and each kind of bad input."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.app import relate as app
from sightline.errors import InputError, PlaceError
from sightline.geometry import Camera, Pose
from sightline.geometry.pose import relative_pose
from sightline.records.pairs import ImagePair
from sightline.records.views import RelativeEstimate, View

TRUE = Pose.from_rotation(Rotation.from_rotvec([0.0, 0.2, 0.0]), [0.6, 0.0, 0.8])


class Told:
    """Answers as it is told, and remembers what it was shown."""

    name = "told"

    def __init__(self, status: str = "ok") -> None:
        self.status = status
        self.seen: list[tuple[View, View]] = []

    def relate(self, a: View, b: View) -> RelativeEstimate:
        self.seen.append((a, b))
        still = Pose(TRUE.q_wxyz, np.zeros(3))
        pose = {"ok": TRUE, "rotation_only": still, "failed": None}[self.status]
        return RelativeEstimate(self.status, self.name, pose, inliers=9, matches=12)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, size in (("a", (30, 40)), ("b", (30, 40)), ("c", (50, 20))):
        pixels = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 30
    Image.fromarray(pixels).save(tmp_path / "phone.jpg", exif=exif)
    return tmp_path


def test_one_pair_and_where_the_intrinsics_come_from(photos: Path) -> None:
    method = Told()
    pair = ImagePair(photos / "a.png", photos / "phone.jpg")
    relation = app.relate(pair, method)
    assert relation.intrinsics == ("guess", "exif")
    (a, b) = method.seen[0]
    assert a.camera == Camera.guess(40, 30)
    assert b.camera.fx == pytest.approx(30 * np.hypot(20, 50) / np.hypot(36, 24))
    content = relation.to_json()
    assert list(content)[2:9] == [
        "status", "method", "q_wxyz", "t", "t_unit", "inliers", "matches",
    ]  # fmt: skip
    assert content["t"] == [0.6, 0.0, 0.8]
    assert content["t_unit"] == "direction"
    assert json.loads(json.dumps(content)) == content


def test_intrinsics_from_flags(photos: Path) -> None:
    four = app.pair_from_flags(photos / "a.png", photos / "c.png", [50, 51, 20, 15])
    assert four.camera_a == Camera("PINHOLE", 40, 30, (50, 51, 20, 15))
    assert four.camera_b == Camera("PINHOLE", 20, 50, (50, 51, 20, 15))
    eight = app.pair_from_flags(photos / "a.png", photos / "b.png", [1, 2, 3, 4, 5, 6, 7, 8])
    assert eight.camera_b == Camera("PINHOLE", 40, 30, (5, 6, 7, 8))
    with pytest.raises(InputError, match=r"4 intrinsics .* or 8 .* are wanted, 3 came"):
        app.pair_from_flags(photos / "a.png", photos / "b.png", [1, 2, 3])
    with pytest.raises(InputError, match="positive focal lengths are wanted"):
        app.pair_from_flags(photos / "a.png", photos / "b.png", [-1, 2, 3, 4])
    with pytest.raises(InputError, match=r"none\.png"):
        app.pair_from_flags(photos / "a.png", photos / "none.png", [1, 2, 3, 4])


@pytest.mark.parametrize("status", ["rotation_only", "failed"])
def test_no_translation_is_no_translation(photos: Path, status: str) -> None:
    pair = ImagePair(photos / "a.png", photos / "b.png")
    content = app.relate(pair, Told(status), app.Scale(2.0)).to_json()
    assert content["status"] == status
    assert content["t"] is None
    assert content["t_unit"] is None
    assert (content["q_wxyz"] is None) == (status == "failed")


def test_a_known_baseline_gives_metres(photos: Path) -> None:
    pair = ImagePair(photos / "a.png", photos / "b.png")
    content = app.relate(pair, Told(), app.Scale(0.5)).to_json()
    assert content["t"] == [0.3, 0.0, 0.4]
    assert content["t_unit"] == "m"
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="a baseline above 0 m is wanted"):
            app.Scale(bad)


class Located:
    """A localiser that knows both photos, or only one."""

    def __init__(self, statuses: tuple[str, str] = ("refined", "refined"), unit: str = "m") -> None:
        self.place = SimpleNamespace(unit=unit, root=Path("here"))
        self.statuses = statuses
        turn = Rotation.from_rotvec([0.3, 0.1, -0.2])
        world_from_a = Pose.from_rotation(turn, [1.0, 2.0, 3.0])
        self.poses = (
            world_from_a,
            world_from_a @ Pose(TRUE.q_wxyz, 3 * TRUE.translation).inverse(),
        )

    def localize(self, images: Any, names: Any, focals_px: Any) -> list[Any]:
        return [
            SimpleNamespace(status=status, world_from_cam=pose)
            for status, pose in zip(self.statuses, self.poses, strict=True)
        ]


def test_a_place_gives_metres(photos: Path) -> None:
    pair = ImagePair(photos / "a.png", photos / "b.png")
    localizer = Located()
    b_from_a = relative_pose(localizer.poses[1], localizer.poses[0])
    np.testing.assert_allclose(b_from_a.translation, 3 * TRUE.translation, atol=1e-12)
    found = app.relate(pair, Told(), app.Scale(localizer=localizer)).estimate
    assert found.t_unit == "m"
    np.testing.assert_allclose(found.pose().translation, 3 * TRUE.translation, atol=1e-12)
    unsure = app.Scale(localizer=Located(("refined", "regressed")))
    assert app.relate(pair, Told(), unsure).estimate.t_unit == "direction"
    with pytest.raises(PlaceError, match="no scale in metres"):
        app.Scale(localizer=Located(unit="arbitrary"))
    with pytest.raises(InputError, match="both came"):
        app.Scale(1.0, Located())


def test_a_list_goes_on_after_a_damaged_image(photos: Path) -> None:
    (photos / "broken.png").write_bytes((photos / "a.png").read_bytes()[:200])
    listed = photos / "list.csv"
    listed.write_text(
        "image_a,image_b,fx_a,fy_a,cx_a,cy_a\n"
        "a.png,b.png,50,50,20,15\nbroken.png,b.png,,,,\nb.png,c.png,,,,\n"
    )
    method = Told()
    found = list(app.relate_list(listed, method))
    assert [f.estimate.status for f in found] == ["ok", "failed", "ok"]
    assert "broken.png is damaged" in found[1].estimate.reason
    assert found[0].intrinsics == ("given", "guess")
    assert [f.image_a for f in found] == ["a.png", "broken.png", "b.png"]
    listed.write_text("image_a,image_b\na.png,b.png\na.png,gone.png\n")
    with pytest.raises(InputError, match=r"line 3: .*gone\.png"):
        list(app.relate_list(listed, method))
    assert len(method.seen) == 2
