"""The drawn plan and the walkable mask against the layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.records import FloorPlan
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.geometry import FloorWorld
from sightline.worlds.floor.layout import layout_floor
from sightline.worlds.floor.plan import draw_plan, px_from_world, walkable_mask, write_plan
from sightline.worlds.floor.walks import mapping_walk, second_walk


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, floor_world: FloorWorld) -> FloorPlan:
    folder = tmp_path_factory.mktemp("plan")
    write_plan(folder, floor_world.layout)
    return FloorPlan.read(folder / "plan.toml")


def test_plan_round_trips_and_its_map_is_exact_and_not_trivial(
    plan: FloorPlan, floor_config: FloorConfig
):
    np.testing.assert_array_equal(plan.px_from_world, px_from_world(floor_config))
    assert plan.px_per_unit == pytest.approx(50.0)
    origin, east, north = plan.to_px([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(east - origin, [50, 0], atol=1e-9)
    np.testing.assert_allclose(north - origin, [0, -50], atol=1e-9)
    assert (origin > 20).all()
    assert plan.walkable_mask().any()


def test_corners_of_the_world_land_on_drawn_walls(plan: FloorPlan, floor_world: FloorWorld):
    dark = np.asarray(Image.open(plan.image).convert("L")) < 90
    island, config = floor_world.layout.island, floor_world.config
    # Just inside the material of the wall at each corner of the rendered geometry.
    e = 0.05
    points = [(-e, -e), (config.width_m + e, -e), (-e, config.depth_m + e),
              (config.width_m + e, config.depth_m + e),
              (island.x0 + e, island.y0 + e), (island.x1 - e, island.y0 + e),
              (island.x0 + e, island.y1 - e), (island.x1 - e, island.y1 - e)]  # fmt: skip
    for u, v in np.rint(plan.to_px(points)).astype(int):
        assert dark[v, u]
    # The step from paper to ink lies within half a pixel of where the geometry says.
    u, v = plan.to_px([2.0, island.y0])
    u = plan.to_px([island.x0 + 0.5, 0])[0]
    column = np.asarray(Image.open(plan.image).convert("L"), float)[:, round(u)]
    rows = np.arange(round(v) - 4, round(v) + 5)
    ink = (255 - column[rows]) / 255
    # Above v (north of the island's south face) is ink: its amount over the window is the edge.
    thickness = ink.sum()
    assert thickness == pytest.approx(v + 0.5 - (round(v) - 4), abs=0.6)


def test_openings_are_white_and_closed_rooms_are_not_walkable(
    plan: FloorPlan, floor_world: FloorWorld
):
    mask = plan.walkable_mask()
    for face in floor_world.layout.faces:
        for opening in face.openings:
            u, v = np.rint(plan.to_px(face.at((opening.start + opening.end) / 2, -0.02))).astype(
                int
            )
            assert mask[v, u]
        for door in face.doors:
            u, v = np.rint(plan.to_px(face.at((door.start + door.end) / 2, 0.0))).astype(int)
            assert not mask[v, u]
    for room in floor_world.layout.rooms:
        u, v = np.rint(plan.to_px([(room.rect.x0 + 0.35, room.rect.y0 + 1.0)])).astype(int)[0]
        assert mask[v, u] == room.is_open


@pytest.mark.parametrize("seed", range(6))
def test_walks_stay_where_one_can_walk(seed: int):
    config = FloorConfig(seed=seed)
    mask, affine = walkable_mask(layout_floor(config)), px_from_world(config)
    for walk in (mapping_walk(config), second_walk(config)):
        centres = np.array([pose.translation for _, pose in walk])
        px = np.rint(centres[:, :2] @ affine[:, :2].T + affine[:, 2]).astype(int)
        assert mask[px[:, 1], px[:, 0]].all()


def test_walkable_keeps_the_body_radius_from_walls(plan: FloorPlan, floor_world: FloorWorld):
    mask = plan.walkable_mask()
    v, u = np.nonzero(mask)
    xy = plan.to_world(np.stack([u, v], axis=1))
    radius = floor_world.config.body_radius_m
    for r in (*floor_world.layout.walls, *(f.rect for f in floor_world.layout.furniture)):
        dx = np.maximum(np.maximum(r.x0 - xy[:, 0], xy[:, 0] - r.x1), 0)
        dy = np.maximum(np.maximum(r.y0 - xy[:, 1], xy[:, 1] - r.y1), 0)
        assert np.hypot(dx, dy).min() > radius - 1e-9


def test_the_picture_is_the_plans_size_whatever_the_scale(tmp_path: Path):
    config = FloorConfig(plan_px_per_m=31.0)
    plan = write_plan(tmp_path, layout_floor(config))
    assert draw_plan(layout_floor(config)).size == (plan.width, plan.height)
