"""The demo's ``report.html``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.app.demo_scores import Answer, Track
from sightline.records import Place
from sightline.records.figures import new_figure, save_figure
from sightline.records.html_report import Report
from sightline.records.plan_picture import Track as PlanTrack
from sightline.records.plan_picture import draw_on_plan
from sightline.worlds.floor.write import FloorFiles

_COLOURS = {
    "nearest training frame": "#8d99ae",
    "PoseNet": "#edae49",
    "MapNet": "#d1495b",
    "MapNet + walkable": "#7b2cbf",
    "refined": "#00798c",
}


def write_demo_report(
    path: Path,
    place: Place,
    floor: FloorFiles,
    tracks: list[Track],
    answers: list[Answer],
    facts: dict[str, tuple[str, str]],
    runs: dict[str, Path],
) -> Path:
    """Write the report and the pictures beside it; return its path."""
    pictures = path.parent / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    report = Report(
        "A video of a building becomes a localiser",
        "A rendered floor was filmed, mapped, aligned to its plan and learned; a second walk that "
        "nothing was trained on asks where it is.",
    )
    report.heading("How far off")
    report.table(Answer.HEADER, [a.row() for a in answers])
    report.paragraph(
        "`nearest training frame` is an oracle that copies the pose of the closest training frame. "
        "On mod-3 the test frames lie between training frames of the same walk, so every score "
        "there measures interpolation; `refined` there matches a frame to the map without that "
        "frame's own observations, though its picture helped to build the map. The second walk is "
        "another path, heading and exposure: that is localisation. Shares are of all frames asked."
    )
    report.pictures(
        [(_curves(pictures / "errors.png", answers), "Share of frames within an error")]
    )
    report.heading("On the plan: the second walk")
    report.pictures(_plans(pictures, place, tracks[1], answers))
    report.heading("The map")
    report.table(("", "value", "what"), [(k, v, what) for k, (v, what) in facts.items()])
    report.heading("What the camera saw")
    report.pictures([(_montage(pictures / "frames.jpg", tracks), "Second walk, every few photos")])
    report.heading("Training")
    report.pictures(
        [(run / "plots" / "losses.png", f"{name}: losses") for name, run in runs.items()]
    )
    report.paragraph(
        f"Everything is in `{path.parent}`; serve it with `sightline serve {place.root}`."
    )
    report.write(path)
    return path


def _plans(
    folder: Path, place: Place, track: Track, answers: list[Answer]
) -> list[tuple[Path, str]]:
    made = []
    for answer in answers:
        if answer.track != track.name or answer.method not in ("MapNet", "refined"):
            continue
        out = folder / f"plan-{answer.method}.png"
        tracks = [
            PlanTrack("truth", track.true.translation, color="#222222"),
            PlanTrack(
                answer.method,
                answer.poses.translation,
                style="points",
                truth=answer.true.translation,
                color=_COLOURS[answer.method],
            ),
        ]
        draw_on_plan(place.plan, tracks, out)
        made.append((out, f"{answer.method}: answers against the true path"))
    return made


def _curves(path: Path, answers: list[Answer]) -> Path:
    names = list(dict.fromkeys(a.track for a in answers))
    figure, axes = new_figure(11, 4, len(names))
    for axis, name in zip(axes, names, strict=True):
        for answer in (a for a in answers if a.track == name):
            errors = np.sort(answer.errors.position)
            share = np.arange(1, len(errors) + 1) / max(answer.frames, 1)
            axis.step(errors, share, where="post", label=answer.method,
                      color=_COLOURS[answer.method])  # fmt: skip
        axis.set(title=name, xlabel="position error in metres", xscale="log", ylim=(0, 1.02))
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("share of frames")
    axes[-1].legend(loc="lower right", fontsize=8)
    return save_figure(figure, path)


def _montage(path: Path, tracks: list[Track], count: int = 6) -> Path:
    from PIL import Image

    track = tracks[1]
    chosen = np.linspace(0, len(track.frames) - 1, count).astype(int)
    sheet = Image.new("RGB", (180 * count, 240))
    for k, i in enumerate(chosen):
        with Image.open(track.images / track.frames[i].image) as picture:
            sheet.paste(picture.convert("RGB").resize((180, 240)), (180 * k, 0))
    sheet.save(path, quality=85)
    return path
