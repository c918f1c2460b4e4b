"""The files of an answer: read back as others read them, against closed forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import InputError
from sightline.geometry import Camera
from sightline.media import read_photo
from sightline.tasks.depth import outputs
from sightline.tasks.depth.colour import colour_map, colour_range, is_flat
from sightline.tasks.depth.edges import depth_edges
from sightline.tasks.depth.maps import DepthMap
from sightline.tasks.depth.outputs import ENDINGS, DepthAnswer, Extras
from sightline.tasks.depth.points import point_cloud, write_ply
from sightline.tasks.depth.scale import Scaled
from stand_in_depth import ramp_picture

WIDTH, HEIGHT = 80, 60
CAMERA = Camera("PINHOLE", WIDTH, HEIGHT, (70.0, 72.0, 39.5, 29.5))


def answer(depth_map: DepthMap, **extras: bool) -> DepthAnswer:
    return DepthAnswer(
        "a.jpg",
        ramp_picture(WIDTH, HEIGHT),
        Scaled(depth_map, "checkpoint" if depth_map.unit == "m" else "none"),
        CAMERA,
        "given",
        (800, 600),
        "net",
        "abc",
        0.25,
        extras=Extras(**extras),
        uncertainty=np.full((HEIGHT, WIDTH), 0.1, np.float32) if extras else None,
    )


def plane() -> NDArray[np.float32]:
    depth = np.full((HEIGHT, WIDTH), 2.5, np.float32)
    depth[0, :5] = np.nan
    depth[:, 60:] = 4.0
    return depth


def read_ply(path: Path) -> tuple[list[str], NDArray[np.void]]:
    """A reader of its own."""
    head, _, body = path.read_bytes().partition(b"end_header\n")
    lines = head.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    names = [line.split()[1:] for line in lines if line.startswith("property")]
    kinds = {"float": "<f4", "uchar": "u1"}
    vertices = np.frombuffer(body, [(name, kinds[kind]) for kind, name in names])
    assert f"element vertex {len(vertices)}" in lines
    return lines, vertices


def test_the_files_of_a_metric_answer(tmp_path: Path) -> None:
    depth = plane()
    said = answer(DepthMap(depth, "depth", "m"), points=True, edges=True)
    said.write(tmp_path / "out", "a")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {f"a{e}" for e in ENDINGS}
    stored = np.load(tmp_path / "out" / "a.npy")
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, depth)
    with Image.open(tmp_path / "out" / "a.png") as picture:
        millimetres = np.asarray(picture)
    assert millimetres.dtype == np.uint16
    assert (millimetres[0, :5] == 0).all()
    assert millimetres[30, 10] == 2500
    assert read_photo(tmp_path / "out" / "a_colour.png").shape == (HEIGHT, WIDTH, 3)
    content = json.loads((tmp_path / "out" / "a.json").read_text())
    assert content["K"] == [[70.0, 0.0, 39.5], [0.0, 72.0, 29.5], [0.0, 0.0, 1.0]]
    wanted = {
        "unit": "m", "quantity": "depth", "K_source": "given", "model": "net",
        "model_digest": "abc", "scale_source": "checkpoint", "scale": None, "shift": None,
        "seconds": 0.25, "width": WIDTH, "height": HEIGHT, "photo_width": 800,
        "photo_height": 600, "min": 2.5, "median": 2.5, "max": 4.0, "flat": False,
    }  # fmt: skip
    assert {key: content[key] for key in wanted} == wanted
    assert content["known_share"] == pytest.approx(1 - 5 / (WIDTH * HEIGHT))


def test_a_relative_answer_says_so_and_leaves_no_millimetres(tmp_path: Path) -> None:
    answer(DepthMap(plane(), "depth", "m"), points=True).write(tmp_path, "a")
    relative = answer(DepthMap(1 / plane(), "disparity", "relative"))
    relative.write(tmp_path, "a")  # what the other answer left would belong to no JSON
    assert {p.name for p in tmp_path.iterdir()} == {"a.npy", "a.json", "a_colour.png"}
    content = json.loads((tmp_path / "a.json").read_text())
    assert (content["unit"], content["quantity"]) == ("relative", "disparity")
    assert "relative disparity (no scale)" in relative.lines()[0]


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.json", "a.ply"])
def test_what_no_answer_left_is_never_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"depth": "measured, the only copy"}')
    metric = answer(DepthMap(plane(), "depth", "m"))
    with pytest.raises(InputError, match=rf"{name} is there and was not written by.*--out"):
        metric.write(tmp_path, "a")
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert "measured" in (tmp_path / name).read_text()


def test_an_answer_whose_writing_was_killed_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = answer(DepthMap(plane(), "depth", "m"))
    metric.write(tmp_path, "a")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(outputs, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            metric.write(tmp_path, "a")
    assert not (tmp_path / "a.json").exists()  # the others need not belong together
    metric.write(tmp_path, "a")
    assert {p.name for p in tmp_path.iterdir()} == {"a.npy", "a.png", "a.json", "a_colour.png"}


def test_nothing_known_is_still_json(tmp_path: Path) -> None:
    nothing = answer(DepthMap(np.full((HEIGHT, WIDTH), np.nan, np.float32), "depth", "m"))
    nothing.write(tmp_path, "a")
    content = json.loads((tmp_path / "a.json").read_text())
    assert (content["min"], content["known_share"], content["flat"]) == (None, 0.0, True)
    assert "nothing known" in nothing.lines()[0]


def test_points_lie_where_the_pixels_look(tmp_path: Path) -> None:
    said = answer(DepthMap(plane(), "depth", "m"), points=True)
    said.write(tmp_path, "a")
    lines, vertices = read_ply(tmp_path / "a.ply")
    assert any("z-depth in metres" in line for line in lines)
    assert any("intrinsics: given" in line for line in lines)
    xyz = np.stack([vertices[name] for name in "xyz"], axis=1)
    pixels = CAMERA.project(xyz)
    rows, columns = pixels.round().astype(int)[:, ::-1].T
    np.testing.assert_allclose(pixels, pixels.round(), atol=1e-4)
    np.testing.assert_allclose(xyz[:, 2], plane()[rows, columns])
    np.testing.assert_array_equal(vertices["red"], said.picture_rgb[rows, columns, 0])
    # no point hangs between the two planes, and only those at the edge are missing
    assert set(np.unique(xyz[:, 2])) == {2.5, 4.0}
    assert WIDTH * HEIGHT * 0.93 < len(xyz) < WIDTH * HEIGHT - HEIGHT


def test_points_of_a_relative_map_say_that_the_shape_is_a_guess(tmp_path: Path) -> None:
    said = answer(DepthMap(3 / plane(), "disparity", "relative"), points=True)
    said.write(tmp_path, "a")
    lines, vertices = read_ply(tmp_path / "a.ply")
    assert any("the shape is a guess" in line for line in lines)
    assert np.median(vertices["z"]) == pytest.approx(1.0)
    assert vertices["z"].max() == pytest.approx(1.6)


def test_a_ply_of_no_points(tmp_path: Path) -> None:
    depth = np.full((4, 4), np.nan)
    points, colours = point_cloud(depth, CAMERA, np.zeros((4, 4, 3), np.uint8))
    write_ply(tmp_path / "a.ply", points, colours, ["two\nlines"])
    lines, vertices = read_ply(tmp_path / "a.ply")
    assert len(vertices) == 0
    assert "comment two lines" in lines


def test_edges_are_jumps_and_no_slants() -> None:
    columns = np.linspace(0, 1, 640)[None] * np.ones((480, 1))
    slanted = 1.0 / (0.05 + 0.5 * columns)  # a plane seen at a grazing angle: depth 2 to 20
    assert not depth_edges(DepthMap(slanted.astype(np.float32), "depth", "m")).any()
    stepped = slanted.copy()
    stepped[:, 320:] *= 0.7
    edges = depth_edges(DepthMap(stepped.astype(np.float32), "depth", "m"))
    assert edges[:, 318:322].all()
    assert not edges[:, :310].any()
    assert not edges[:, 330:].any()
    across = depth_edges(DepthMap(stepped.T.astype(np.float32), "depth", "m"))
    np.testing.assert_array_equal(across, edges.T)
    assert not depth_edges(DepthMap(np.ones((1, 1), np.float32), "depth", "m")).any()


def test_near_is_bright_and_outliers_do_not_matter() -> None:
    depth = np.linspace(1.0, 6.0, 6000).reshape(60, 100).astype(np.float32)
    colours = colour_map(DepthMap(depth, "depth", "m")).astype(int).sum(axis=2)
    assert (np.diff(colours.mean(axis=1)) < 0).all()
    spoilt = depth.copy()
    spoilt[0, :3] = 1e-3
    low, high = colour_range(DepthMap(spoilt, "depth", "m"))
    assert 0.15 < low < 0.2
    assert 0.8 < high <= 1.0
    unknown = depth.copy()
    unknown[5] = np.nan
    assert (colour_map(DepthMap(unknown, "depth", "m"))[5] == 128).all()
    flat = DepthMap(np.full((4, 4), 3.0, np.float32), "depth", "m")
    assert is_flat(flat)
    assert len(np.unique(colour_map(flat).reshape(-1, 3), axis=0)) == 1
