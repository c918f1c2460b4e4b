import numpy as np
import pytest
from synthetic_walk import hand_held

from sightline.errors import GeometryError, InputError
from sightline.reconstruction.align.control import (
    MeasuredDistance,
    fit_spatial_control,
    metres_per_map_unit,
    read_control,
)
from sightline.reconstruction.align.gravity import UpEstimate, estimate_up, level_map
from sightline.reconstruction.align.plan_frame import PlanFrame
from sightline.reconstruction.align.solution import (
    ScaleCues,
    solve_control,
    solve_distance,
    solve_gravity,
    solve_path,
)

PX_PER_M = 40.0
#: A plan 1000 pixels high: u = 120 + 40 x, v = 800 - 40 y, so y up maps to v down.
PX_FROM_WORLD = np.array([[PX_PER_M, 0.0, 120.0], [0.0, -PX_PER_M, 800.0]])


@pytest.fixture
def walk():
    return hand_held(seed=11)


def exact_level(walk):
    up = walk.map_from_world.pose.rotation.apply([0.0, 0.0, 1.0])
    return level_map(UpEstimate(up, "truth"), walk.geometry.centres, walk.geometry.points)


def to_px(world):
    return world[:, :2] @ PX_FROM_WORLD[:, :2].T + PX_FROM_WORLD[:, 2]


def write(path, header, rows):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def frames_at(walk, indices):
    return [(walk.geometry.images[i], *walk.world_from_cam.translation[i]) for i in indices]


def errors_m(walk, solution):
    found = solution.world_from_map.apply(walk.geometry.centres)
    return np.linalg.norm(found - walk.world_from_cam.translation, axis=1)


def test_three_frames_in_three_coordinates_recover_the_world(tmp_path, walk):
    path = write(tmp_path / "c.csv", "frame,x,y,z", frames_at(walk, [0, 45, 100]))
    points = read_control(path, walk.geometry)
    solution = solve_control(walk.geometry, exact_level(walk), points, None, ScaleCues())
    assert solution.unit == "m"
    assert errors_m(walk, solution).max() < 1e-9
    assert solution.residuals[0].label == "line 2 (0000.jpg)"
    poses = solution.world_from_map.apply_pose(walk.geometry.map_from_cam)
    np.testing.assert_allclose(poses.q_wxyz, walk.world_from_cam.q_wxyz, atol=1e-9)


def test_map_points_serve_as_control(tmp_path, walk):
    chosen = [3, 500, 900, 1100]
    rows = [("", walk.geometry.point_ids[i], *walk.points[i]) for i in chosen]
    path = write(tmp_path / "c.csv", "frame,point_id,x,y,z", rows)
    solution = solve_control(
        walk.geometry, exact_level(walk), read_control(path, walk.geometry), None, ScaleCues()
    )
    assert errors_m(walk, solution).max() < 1e-8


@pytest.mark.parametrize("seed", range(30))
def test_three_noisy_points_never_give_a_reflection(seed):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(3, 3))
    target = source + rng.normal(0, 0.3, (3, 3))
    try:
        fit = fit_spatial_control(source, target)
    except GeometryError as error:
        assert "line" in str(error)  # noqa: PT017  some draws are nearly collinear
        return
    assert np.linalg.det(fit.world_from_map.pose.rotation_matrix) == pytest.approx(1.0)


def test_noise_in_control_bounds_the_error(tmp_path, walk):
    rng = np.random.default_rng(0)
    chosen = [0, 20, 45, 70, 100, 130]
    rows = [(n, *(np.array(p) + rng.normal(0, 0.05, 3))) for n, *p in frames_at(walk, chosen)]
    points = read_control(write(tmp_path / "c.csv", "frame,x,y,z", rows), walk.geometry)
    solution = solve_control(walk.geometry, exact_level(walk), points, None, ScaleCues())
    assert errors_m(walk, solution).max() < 0.15
    assert all(r.used for r in solution.residuals)


def test_metres_without_height_lean_on_gravity_and_the_floor(tmp_path, walk):
    rows = [row[:3] for row in frames_at(walk, [0, 45, 100])]
    points = read_control(write(tmp_path / "c.csv", "frame,x,y", rows), walk.geometry)
    solution = solve_control(walk.geometry, exact_level(walk), points, None, ScaleCues())
    found = solution.world_from_map.apply(walk.geometry.centres)
    np.testing.assert_allclose(found[:, :2], walk.world_from_cam.translation[:, :2], atol=1e-9)
    assert np.abs(found[:, 2] - walk.world_from_cam.translation[:, 2]).max() < 0.05
    assert any("floor is 1.5" in note for note in solution.notes)


def test_one_known_height_settles_z(tmp_path, walk):
    rows = frames_at(walk, [0, 45, 100])
    rows[1:] = [(*row[:3], "") for row in rows[1:]]
    points = read_control(write(tmp_path / "c.csv", "frame,x,y,z", rows), walk.geometry)
    solution = solve_control(walk.geometry, exact_level(walk), points, None, ScaleCues())
    assert errors_m(walk, solution).max() < 1e-9


def test_camera_height_as_given_wins_over_the_points(tmp_path, walk):
    rows = [row[:3] for row in frames_at(walk, [0, 45, 100])]
    points = read_control(write(tmp_path / "c.csv", "frame,x,y", rows), walk.geometry)
    cues = ScaleCues(camera_height_m=1.8)
    solution = solve_control(walk.geometry, exact_level(walk), points, None, cues)
    heights = solution.world_from_map.apply(walk.geometry.centres)[:, 2]
    assert np.median(heights) == pytest.approx(1.8)


def pixel_rows(walk, indices):
    px = to_px(walk.world_from_cam.translation)
    return [(walk.geometry.images[i], *px[i]) for i in indices]


@pytest.mark.parametrize("way", ["known plan", "plan scale", "measured distance"])
def test_plan_pixels_give_metres(tmp_path, walk, way):
    points = read_control(
        write(tmp_path / "c.csv", "frame,plan_x,plan_y", pixel_rows(walk, [0, 45, 100])),
        walk.geometry,
    )
    centres = walk.world_from_cam.translation
    plan, cues = PlanFrame(1000), ScaleCues()
    if way == "known plan":
        plan = PlanFrame(1000, PX_FROM_WORLD)
    elif way == "plan scale":
        cues = ScaleCues(px_per_m=PX_PER_M)
    else:
        length = float(np.linalg.norm(centres[0] - centres[60]))
        cues = ScaleCues(distances=(MeasuredDistance("0000.jpg", "0060.jpg", length),))
    solution = solve_control(walk.geometry, exact_level(walk), points, plan, cues)
    assert solution.unit == "m"
    world = solution.world_from_map.apply(walk.geometry.centres)
    # The world is right-handed and in metres, though v counts downwards: rotation, no mirror.
    rotation = solution.world_from_map.pose.rotation_matrix
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert np.linalg.det(solution.px_from_world[:, :2]) < 0
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(world, axis=0), axis=1),
        np.linalg.norm(np.diff(centres, axis=0), axis=1),
        rtol=1e-9,
    )
    px = world[:, :2] @ solution.px_from_world[:, :2].T + solution.px_from_world[:, 2]
    np.testing.assert_allclose(px, to_px(centres), atol=1e-7)
    # Walking on and turning left in the world turns left on the plan as one sees it.
    assert np.abs(solution.residuals[0].error) < 1e-9


def test_plan_pixels_without_a_scale_stay_arbitrary_and_say_so(tmp_path, walk):
    points = read_control(
        write(tmp_path / "c.csv", "frame,plan_x,plan_y", pixel_rows(walk, [0, 45, 100])),
        walk.geometry,
    )
    solution = solve_control(walk.geometry, exact_level(walk), points, PlanFrame(1000), ScaleCues())
    assert solution.unit == "arbitrary"
    assert solution.world_from_map.scale == pytest.approx(1.0)
    assert any("--plan-scale" in note for note in solution.notes)
    world = solution.world_from_map.apply(walk.geometry.centres)
    px = world[:, :2] @ solution.px_from_world[:, :2].T + solution.px_from_world[:, 2]
    np.testing.assert_allclose(px, to_px(walk.world_from_cam.translation), atol=1e-7)
    with pytest.raises(InputError, match="--plan"):
        solve_control(walk.geometry, exact_level(walk), points, None, ScaleCues())


def test_rows_with_both_relate_the_plan_to_metres(tmp_path, walk):
    px = to_px(walk.world_from_cam.translation)
    rows = [(*row, *px[i]) for i, row in zip([0, 45], frames_at(walk, [0, 45]), strict=True)]
    rows.append((walk.geometry.images[100], "", "", "", *px[100]))
    header = "frame,x,y,z,plan_x,plan_y"
    points = read_control(write(tmp_path / "c.csv", header, rows), walk.geometry)
    solution = solve_control(walk.geometry, exact_level(walk), points, PlanFrame(1000), ScaleCues())
    assert errors_m(walk, solution).max() < 1e-8
    np.testing.assert_allclose(solution.px_from_world, PX_FROM_WORLD, atol=1e-8)
    rows[1] = (walk.geometry.images[45], *walk.world_from_cam.translation[45], "", "")
    points = read_control(write(tmp_path / "c.csv", header, rows), walk.geometry)
    with pytest.raises(InputError, match=r"line 4 .*give two rows both"):
        solve_control(walk.geometry, exact_level(walk), points, PlanFrame(1000), ScaleCues())


@pytest.mark.parametrize("header", ["frame,x,y,z", "frame,x,y"])
def test_a_wrong_row_is_left_out_and_named(tmp_path, walk, header):
    rows = [row[: header.count(",") + 1] for row in frames_at(walk, [0, 20, 45, 70, 100, 130])]
    rows[2] = (rows[2][0], rows[2][1] + 4.0, *rows[2][2:])
    points = read_control(write(tmp_path / "c.csv", header, rows), walk.geometry)
    solution = solve_control(walk.geometry, exact_level(walk), points, None, ScaleCues())
    assert [r.used for r in solution.residuals] == [True, True, False, True, True, True]
    assert any(n.startswith("line 4 (0045.jpg) is 4.00 m off") for n in solution.notes)
    assert errors_m(walk, solution).max() < 0.05


def test_measured_distance_and_gravity(walk):
    centres = walk.world_from_cam.translation
    measured = MeasuredDistance(
        "0000.jpg", "0070.jpg", float(np.linalg.norm(centres[70] - centres[0]))
    )
    up = estimate_up(walk.geometry.map_from_cam)
    level = level_map(up, walk.geometry.centres, walk.geometry.points)
    solution = solve_distance(walk.geometry, level, ScaleCues(distances=(measured,)))
    assert solution.unit == "m"
    assert solution.world_from_map.scale * walk.map_from_world.scale == pytest.approx(1.0)
    poses = solution.world_from_map.apply_pose(walk.geometry.map_from_cam)
    assert np.abs(poses.translation[:, 2] - centres[:, 2]).max() < 0.1
    assert solution.residuals[0].error < 1e-9
    point = MeasuredDistance(
        f"p:{walk.geometry.point_ids[0]}", "0010.jpg",
        float(np.linalg.norm(walk.points[0] - centres[10])),
    )  # fmt: skip
    assert metres_per_map_unit(walk.geometry, [point]) * walk.map_from_world.scale == pytest.approx(
        1
    )


def test_gravity_keeps_the_maps_unit(walk):
    level = exact_level(walk)
    solution = solve_gravity(walk.geometry, level)
    assert (solution.unit, solution.world_from_map.scale) == ("arbitrary", 1.0)
    world = solution.world_from_map.apply(walk.geometry.centres) / walk.map_from_world.scale
    np.testing.assert_allclose(world[:, :2].mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(world[:, 2], walk.world_from_cam.translation[:, 2], atol=0.05)


@pytest.mark.parametrize("distance", [("nope.jpg", "0001.jpg", 2.0), ("p:2", "0001.jpg", 2.0),
                                      ("p:x", "0001.jpg", 2.0), ("0001.jpg", "0001.jpg", 2.0),
                                      ("0001.jpg", "0002.jpg", -1.0)])  # fmt: skip
def test_bad_distances_are_named(walk, distance):
    with pytest.raises(InputError, match="wanted") as caught:
        metres_per_map_unit(walk.geometry, [MeasuredDistance(*distance)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("frame,x,y\n0000.jpg,1,2\n0001.jpg,1,3\n", "3 or more control points are wanted, 2 came"),
        ("frame,x,y\n", "3 or more control points are wanted, 0 came"),
        ("", "an empty file"),
        ("image,x,y\n", "image,x,y came"),
        ("frame,x,y\n0000.jpg,1,2\nnope.jpg,1,3\n", "line 3: a registered frame is wanted, 'nope"),
        ("point_id,x,y\n8,1,2\n", "line 2: a point3D id of the map is wanted, 8 came"),
        ("point_id,x,y\nabc,1,2\n", "line 2: a map point named"),
        ("frame,x,y\n0000.jpg,1,\n", "line 2: x and y are wanted together"),
        ("frame,z\n0000.jpg,1\n", "line 2: x and y are wanted together"),
        ("frame,plan_x,plan_y\n0000.jpg,,3\n", "line 2: plan_x and plan_y are wanted together"),
        ("frame,x,y\n0000.jpg,,\n", "line 2: world metres x,y or a plan pixel"),
        ("frame,x,y\n0000.jpg,a,1\n", "line 2: a number is wanted in x, 'a' came"),
        ("frame,x,y\n0000.jpg,nan,1\n", "line 2: a number is wanted in x"),
        ("frame,x,y\n0000.jpg,1\n", "line 2: as many values"),
        ("frame,x,y\n0000.jpg,1,2,3\n", "line 2: as many values"),
        ("frame,point_id,x,y\n0000.jpg,7,1,2\n", "line 2: a frame or a point_id is wanted, both"),
        ("frame,point_id,x,y\n,,1,2\n", "line 2: a frame or a point_id is wanted, neither"),
    ],
)
def test_bad_control_files_give_one_line(tmp_path, walk, text, says):
    path = tmp_path / "control.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_control(path, walk.geometry)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_control_file_is_named(tmp_path, walk):
    with pytest.raises(InputError, match="no such file"):
        read_control(tmp_path / "none.csv", walk.geometry)


def test_collinear_points_raise_and_say_what_to_do(tmp_path, walk):
    level = exact_level(walk)
    rows = frames_at(walk, [2, 15, 30])  # along one corridor
    points = read_control(write(tmp_path / "c.csv", "frame,x,y,z", rows), walk.geometry)
    with pytest.raises(GeometryError, match="leave z empty"):
        solve_control(walk.geometry, level, points, None, ScaleCues())
    # ... which then works: gravity settles the tilt.
    points = read_control(
        write(tmp_path / "c.csv", "frame,x,y", [r[:3] for r in rows]), walk.geometry
    )
    assert (
        errors_m(walk, solve_control(walk.geometry, level, points, None, ScaleCues())).max() < 0.05
    )


def test_a_drawn_path_puts_the_walk_on_the_plan():
    walk = hand_held(np.array([[0.0, 0], [12, 0], [12, 7], [17, 7]]), seed=3, height_noise=0.02)
    up = estimate_up(walk.geometry.map_from_cam)
    level = level_map(up, walk.geometry.centres, walk.geometry.points)
    drawn = to_px(np.array([[0.0, 0], [12, 0], [12, 7], [17, 7]]))
    solution = solve_path(
        walk.geometry, level, drawn, PlanFrame(1000), ScaleCues(px_per_m=PX_PER_M)
    )
    assert solution.unit == "m"
    world = solution.world_from_map.apply(walk.geometry.centres)
    px = world[:, :2] @ solution.px_from_world[:, :2].T + solution.px_from_world[:, 2]
    truth = to_px(walk.world_from_cam.translation)
    assert np.linalg.norm(px - truth, axis=1).max() < 0.1 * PX_PER_M
    assert solution.residuals[0].label == "path vertex 1"
    assert max(r.error for r in solution.residuals) < 0.2
    assert solution.world_from_map.scale * walk.map_from_world.scale == pytest.approx(1, abs=0.01)
