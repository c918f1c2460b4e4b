"""Figures 2 and 3: the path and the points of the map, with the numbers that go with them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from sightline.app.papers.paper000.drawing import draw_map
from sightline.app.papers.paper000.published import FRAMES
from sightline.app.papers.paper000.runs import Runs
from sightline.app.papers.paper000.tables import unit_of
from sightline.app.papers.results import Section
from sightline.geometry.rotation import Array
from sightline.geometry.trajectory import absolute_trajectory_error
from sightline.records import Place, stack_poses
from sightline.tasks.absolute.samples import in_video_order

_FOLDER = "figures"


def figure2(runs: Runs, folder: Path) -> Section:
    """Return Figure 2: the trajectory that structure from motion found."""
    place = runs.place
    centres = _centres(place)
    picture = f"{_FOLDER}/figure-2.png"
    draw_map(folder / picture, place, centres, np.zeros((0, 3)), "camera path of the map")
    length = float(np.linalg.norm(np.diff(centres, axis=0), axis=1).sum())
    asked = len(place.frames())
    rows = [
        ("frames taken", f"{asked:,}", FRAMES),
        ("frames with a pose", f"{len(centres):,}", ""),
        (f"length of the path ({unit_of(runs)})", f"{length:.1f}", ""),
    ]
    notes = [
        "the paper gives no error of its map: it says that loops may not be closed, and shows the "
        "best of several runs",
    ]
    values = {"frames": asked, "registered": len(centres), "length": length}
    truth = runs.world.truth
    if truth is not None:
        found, true = stack_poses(place.registered()), stack_poses(list(truth))
        values["ate"] = absolute_trajectory_error(found, true).rmse
        off = np.linalg.norm(found.translation - true.translation, axis=1)
        values["largest"] = float(off.max())
        rows.append(("ATE after Sim(3) (m)", f"{values['ate']:.3f}", ""))
        rows.append(("largest distance to the truth (m)", f"{values['largest']:.3f}", ""))
        notes.append("an open loop would show as a large distance; the truth is rendered")
    else:
        notes.append(f"`sightline doctor {place.root}` tells whether loops are closed")
    return Section(
        "figure-2",
        "Fig. 2: trajectory of the map",
        ("", "here", "paper"),
        tuple(rows),
        tuple(notes),
        (picture,),
        values,
    )


def figure3(runs: Runs, folder: Path) -> Section:
    """Return Figure 3: the map's points with the camera's path; without points, why not."""
    place = runs.place
    points = read_points(place)
    title = "Fig. 3: points of the map"
    if not len(points):
        note = f"not made: {place.root} has no points (points.csv), as places that were imported"
        return Section("figure-3", title, notes=(note,))
    picture = f"{_FOLDER}/figure-3.png"
    draw_map(folder / picture, place, _centres(place), points, "sparse points and camera path")
    return Section(
        "figure-3",
        title,
        ("", "here", "paper"),
        (("points", f"{len(points):,}", ""),),
        ("seen from above; the paper gives no number",),
        (picture,),
        {"points": len(points)},
    )


def read_points(place: Place) -> Array:
    """Return (P, 3) the place's sparse points in its world; none where it has no map."""
    path = place.root / "points.csv"
    if not path.is_file():
        return np.zeros((0, 3))
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [[float(row[axis]) for axis in "xyz"] for row in csv.DictReader(stream)]
    return np.array(rows).reshape(-1, 3)


def _centres(place: Place) -> Array:
    return stack_poses(in_video_order(place.registered())).translation
