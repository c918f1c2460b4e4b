import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.records.plan import FloorPlan
from sightline.records.plan_picture import Track, _round_length, draw_on_plan


@pytest.fixture
def plan(tmp_path):
    Image.new("RGB", (200, 100), (255, 255, 255)).save(tmp_path / "plan.png")
    mask = np.full((100, 200), 255, np.uint8)
    mask[:, 150:] = 0
    Image.fromarray(mask).save(tmp_path / "walkable.png")
    return FloorPlan(
        tmp_path / "plan.png",
        tmp_path / "walkable.png",
        200,
        100,
        np.array([[10.0, 0.0, 0.0], [0.0, -10.0, 99.0]]),
    )


def pixels_like(path, color, tolerance=30):
    """Return (row, column) of pixels of a colour above the legend."""
    image = np.asarray(Image.open(path).convert("RGB")).astype(int)
    image = image[: int(0.84 * len(image))]
    return np.argwhere((np.abs(image - color) < tolerance).all(axis=2))


def test_positions_land_where_the_plan_says(tmp_path, plan):
    spots = np.array([[2.0, 8.0, 1.5], [12.0, 2.0, 1.5]])
    for i, spot in enumerate(spots):
        draw_on_plan(
            plan, [Track("here", spot[None], "points", color="#00ff00")], tmp_path / f"{i}.png"
        )
    first, second = (pixels_like(tmp_path / f"{i}.png", [0, 255, 0]) for i in range(2))
    first, second = first.mean(axis=0), second.mean(axis=0)
    shade = pixels_like(tmp_path / "0.png", [241, 190, 190], 25)
    edge = shade[:, 1].min()
    # 10 m right and 6 m down on the plan; the shaded zone starts at 15 m.
    right, down = second[1] - first[1], second[0] - first[0]
    assert right > 0
    assert down > 0
    assert down / right == pytest.approx(0.6, abs=0.03)
    assert (edge - first[1]) / right == pytest.approx(1.3, abs=0.05)


def test_error_lines_join_prediction_and_truth(tmp_path, plan):
    predicted, truth = np.array([[2.0, 5.0]]), np.array([[10.0, 5.0]])
    draw_on_plan(plan, [Track("a", predicted, "points", color="#0000ff")], tmp_path / "without.png")
    draw_on_plan(
        plan, [Track("a", predicted, "points", truth, "#0000ff")], tmp_path / "with.png", title="T"
    )
    blue = [
        len(pixels_like(tmp_path / n, [102, 102, 255], 60)) for n in ("without.png", "with.png")
    ]
    assert blue[1] > blue[0] + 100


def test_without_a_plan_the_world_is_seen_from_above(tmp_path):
    walk = np.array([[0.0, 0, 1], [10, 0, 1], [np.nan] * 3, [10, 4, 1], [0, 4, 1]])
    draw_on_plan(
        None, [Track("walk", walk, color="#ff0000")], tmp_path / "top.png", unit="arbitrary"
    )
    red = pixels_like(tmp_path / "top.png", [255, 0, 0])
    assert np.ptp(red[:, 1]) > 2 * np.ptp(red[:, 0])
    draw_on_plan(None, [], tmp_path / "empty.png")
    draw_on_plan(None, [Track("walk", walk)], tmp_path / "top.svg")
    assert (tmp_path / "top.svg").read_text().startswith("<?xml")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.png", "top.png", "top.svg"]


@pytest.mark.parametrize(("wanted", "got"), [(3.7, 2.0), (5.0, 5.0), (0.09, 0.05), (19.9, 10.0)])
def test_scale_bars_have_round_lengths(wanted, got):
    assert _round_length(wanted) == pytest.approx(got)


def test_shapes_are_checked():
    with pytest.raises(InputError, match="shape"):
        Track("a", np.zeros((3, 4)))
    with pytest.raises(InputError, match="true position"):
        Track("a", np.zeros((3, 2)), truth=np.zeros((2, 2)))
