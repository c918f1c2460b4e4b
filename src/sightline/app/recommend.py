"""How far a user's images can be compressed before a model's answers change; the report of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from sightline.errors import InputError
from sightline.media import write_photo
from sightline.media.distortions import Distortion, distort
from sightline.media.image_sources import image_paths, read_image
from sightline.records.figures import new_figure, save_figure
from sightline.records.files import write_json, write_text
from sightline.records.html_report import Report
from sightline.tasks.utility.machines.load import load_machine
from sightline.tasks.utility.quality_trial import Format, Progress, QualityPoint
from sightline.tasks.utility.recommend import HIGHEST, Recommendation, recommend_quality
from sightline.tasks.utility.sheet import thumbnail

REPORT, JSON, CURVE, CHANGED = "report.html", "recommendation.json", "curve.csv", "changed.csv"

#: Changed answers whose images the report shows, and that the terminal names.
_SHOWN_IMAGES, _SHOWN_LINES = 12, 20

_THUMBNAIL_PX = 288


def images_of(sources: Sequence[Path]) -> list[Path]:
    """Return the photos of files, folders (with those in them), archives and lists, each once.

    Raises:
        InputError: No source, or one that does not exist.
        MediaError: A folder without photos.
    """
    if not sources:
        raise InputError("photos or folders of photos are wanted, nothing came")
    found: list[Path] = []
    for source in sources:
        if not source.exists():
            raise InputError(f"a photo or a folder of photos is wanted, {source} does not exist")
        many = source.is_dir() or source.suffix.lower() in (".tar", ".txt")
        found += image_paths(source) if many else [source]
    return list(dict.fromkeys(found))


def recommend(
    sources: Sequence[Path],
    model: str,
    kind: Literal["classification", "detection"] = "classification",
    keep: float = 0.99,
    format: Format = "jpeg",  # noqa: A002 - as the flag is called
    progress: Progress = lambda text, share: None,
) -> Recommendation:
    """Return the lowest quality at which a model keeps its answers on the user's images.

    Args:
        sources: Photos, folders, archives (``.tar``) or lists (``.txt``) of photos.
        model: As :func:`sightline.tasks.utility.machines.load.load_machine` has it.
        kind: What the model does.
        keep: Share of images whose answers are to be kept.
        format: Of the compressed files.
        progress: Called with what is done and the share done.

    Raises:
        SightlineError: There is no such model; no image can be judged; ``keep`` is out of range.
    """
    if not 0 < keep <= 1:  # before a model is read
        raise InputError(f"a share to keep above 0 and up to 1 is wanted, {keep:g} came (--keep)")
    images = images_of(sources)
    return recommend_quality(images, load_machine(model, kind), keep, format, progress)


def text_of(found: Recommendation) -> list[str]:
    """Return the recommendation in lines for people; the first says it all."""
    if found.quality is None:
        said = f"{HIGHEST} keeps {_kept(found, found.best)}{_itself(found)}"
        lines = [f"no {found.format} quality keeps {found.keep:.4g} of the answers: {said}"]
        if found.closest is None:
            return lines + _changed_lines(found)
        lines.append(f"from quality {found.closest} on as many are kept as at {HIGHEST}")
    else:
        lines = [f"{found.format} quality {found.quality} keeps {_kept(found, found.point)}"]
    point = found.point
    if found.kind == "detection":
        lines.append(f"{point.found:,} of {found.things:,} detections are found again")
        if found.without:
            lines.append(f"{found.without:,} images without a detection count apart")
    lines += _bytes_lines(found) + _doubt_lines(found)
    return lines + _changed_lines(found)


def write_recommendation(found: Recommendation, out: Path) -> Path:
    """Write the report as a file (``.html``), or as a folder with the numbers beside it.

    Returns:
        The report.
    """
    if out.suffix.lower() in (".html", ".htm"):
        _write_report(found, out)
        return out
    if out.exists() and not out.is_dir():
        raise InputError(f"a file that ends in .html or a folder is wanted for --out, {out} came")
    write_json(out / JSON, found.to_json())
    curve = [
        (p.quality, p.kept, p.judged, f"{p.agreement:.6f}", *(f"{v:.6f}" for v in p.interval),
         p.bytes)
        for p in found.points
    ]  # fmt: skip
    header = ("quality", "kept", "judged", "agreement", "low_95", "high_95", "bytes")
    write_text(out / CURVE, _csv(header, curve))
    changed = [(c.image, c.before, c.after) for c in found.changed]
    write_text(out / CHANGED, _csv(("image", "before", "after"), changed))
    _write_report(found, out / REPORT)
    return out / REPORT


def _kept(found: Recommendation, point: QualityPoint) -> str:
    low, high = point.interval
    return (
        f"{point.kept:,} of {point.judged:,} answers of {found.machine} "
        f"({point.agreement:.1%}, 95% interval {low:.1%} to {high:.1%})"
    )


def _itself(found: Recommendation) -> str:
    same = found.self_agreement
    if same is None or same == 1:
        return ""
    return f"; asked twice about the very same images it gives the same answer for {same:.1%} only"


def _bytes_lines(found: Recommendation) -> list[str]:
    interval = "one image tells no interval"
    if found.saved_interval is not None:
        low, high = found.saved_interval
        interval = f"95% interval {low:.1%} to {high:.1%}"
    lines = [
        f"bytes: {found.bytes_before:,} -> {found.point.bytes:,}, {found.saved:.1%} saved "
        f"({interval})"
    ]
    if found.larger:
        are = "image is" if found.larger == 1 else "images are"
        lines.append(
            f"{found.larger:,} {are} smaller as they are: left alone, {found.saved_leaving:.1%} "
            "of all bytes are saved"
        )
    return lines


def _doubt_lines(found: Recommendation) -> list[str]:
    """Return what the images are too few or too odd to show."""
    lines = []
    judged, wanted = found.point.judged, found.images_wanted
    if wanted is None:
        lines.append("no number of images shows that all answers are kept; a --keep below 1 can be")
    elif judged < wanted:
        lines.append(
            f"{judged:,} image{'' if judged == 1 else 's'} cannot show {found.keep:.4g} with 95% "
            f"confidence, even were all answers kept; {wanted:,} could"
        )
    if found.one_answer is not None:
        lines.append(
            f"the model says the same of every image ({found.one_answer}): that tells little"
        )
    return lines


def _changed_lines(found: Recommendation) -> list[str]:
    lines = [f"changed: {c.image}: {c.before} -> {c.after}" for c in found.changed[:_SHOWN_LINES]]
    more = len(found.changed) - _SHOWN_LINES
    return lines if more <= 0 else [*lines, f"changed: {more:,} more (--json and --out name all)"]


def _write_report(found: Recommendation, path: Path) -> None:
    first, *rest = text_of(found)
    report = Report("How far these images can be compressed", f"{first[0].upper()}{first[1:]}.")
    for line in rest:
        if not line.startswith("changed: "):
            report.paragraph(f"{line[0].upper()}{line[1:]}.")
    report.paragraph(
        "An answer is kept where the likeliest class stays the same."
        if found.kind == "classification"
        else "An answer is kept where one detection or more is found again: the same class, a "
        "score and an overlap of 0.5 or more."
    )
    report.paragraph(
        "The quality was chosen on the same images that the answers were counted on; other images "
        "may keep a little less. `bytes as they are` are those of your files."
    )
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        report.pictures([(_curve(folder / "curve.png", found), "What was tried")])
        report.table(
            ("quality", "kept", "of", "agreement", "95% interval", "bytes"),
            [
                (
                    str(p.quality), f"{p.kept:,}", f"{p.judged:,}", f"{p.agreement:.2%}",
                    f"{p.interval[0]:.1%} to {p.interval[1]:.1%}", f"{p.bytes:,}",
                )
                for p in found.points
            ],
        )  # fmt: skip
        if found.changed:
            report.heading(f"Answers that change at quality {found.point.quality}")
            report.pictures(_changed_pictures(folder, found))
            report.table(
                ("image", "as it is", "compressed"),
                [(str(c.image), c.before, c.after) for c in found.changed],
            )
        if found.skipped:
            report.heading("Left out")
            report.table(("image", "why"), [(str(file), why) for file, why in found.skipped])
        report.write(path)


def _curve(path: Path, found: Recommendation) -> Path:
    figure, (agreement, size) = new_figure(9.5, 3.4, 2)
    qualities = [p.quality for p in found.points]
    shares = [p.agreement for p in found.points]
    spread = [
        [max(0.0, p.agreement - p.interval[0]) for p in found.points],
        [max(0.0, p.interval[1] - p.agreement) for p in found.points],
    ]
    agreement.errorbar(qualities, shares, yerr=spread, fmt="o-", capsize=2, color="#4c78a8")
    agreement.axhline(found.keep, color="#d1495b", linestyle="--", label=f"keep {found.keep:.4g}")
    agreement.set(xlabel=f"{found.format} quality", ylabel="answers kept")
    agreement.legend(frameon=False)
    share = [p.bytes / found.bytes_before for p in found.points]
    size.plot(qualities, share, "o-", color="#4c78a8")
    size.axhline(1, color="#8d99ae", linestyle=":")
    size.set(xlabel=f"{found.format} quality", ylabel="bytes / bytes as they are", ylim=(0, None))
    if found.quality is not None or found.closest is not None:
        for axes in (agreement, size):
            axes.axvline(found.point.quality, color="#00798c", linewidth=1)
    return save_figure(figure, path)


def _changed_pictures(folder: Path, found: Recommendation) -> list[tuple[Path, str]]:
    compression = Distortion(found.format, found.point.quality)
    pictures = []
    for k, changed in enumerate(found.changed[:_SHOWN_IMAGES]):
        picture = folder / f"changed{k}.png"
        write_photo(
            picture, thumbnail(distort(read_image(changed.image), compression), _THUMBNAIL_PX)
        )
        pictures.append((picture, f"{changed.image.name}: {changed.before} -> {changed.after}"))
    return pictures


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()
