"""The commands that mend a place: as it was built, with only what needs to change."""

from __future__ import annotations

import shlex
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.app.build import BuildConfig
from sightline.app.doctor.examination import Examination
from sightline.reconstruction.config import QUALITY_PRESETS
from sightline.reconstruction.pairing import pairs_kind

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: Videos hold 30 frames a second.
_MOST_FPS = 30.0
#: Frames less likely than this to be localised do more harm than good (docs/utility.md).
_GOOD_UTILITY = 0.3


def command(*words: object) -> str:
    """Return a command line that a shell takes as it stands."""
    return shlex.join(["sightline", *(str(word) for word in words)])


def go_on(exam: Examination) -> str:
    """Return the command that a build was begun with."""
    source = exam.place.content.get("source", "VIDEO")
    return command("build", source, exam.place.root, *build_flags(exam.config))


def build_anew(exam: Examination, config: BuildConfig | None, *words: str) -> str:
    """Return the command that builds the place again beside the old one, which stays whole.

    Recordings that were added to it are added again.

    Args:
        exam: Of the place.
        config: How; None where no change would help, which gives no command.
        words: What else stands on the command line.
    """
    if config is None:
        return ""
    source = exam.place.content.get("source") if exam.built_here else exam.place.images_dir
    root = free_name(exam.place.root)
    anew = command("build", source or "VIDEO", root, *build_flags(config), *words)
    added = [
        command("extend", root, table.get("source", "VIDEO"), *given_flags(table.get("given")))
        for table in exam.place.added
    ]
    return " && ".join([anew, *added])


def align_again(exam: Examination) -> str:
    """Return the command that aligns the place as it was aligned before."""
    usual = {
        "path": ("--path", "path.csv"),
        "distance": ("--distance", "FRAME_A", "FRAME_B", "METRES"),
        "control": ("--control", "control.csv"),
    }
    table = exam.place.content.get("alignment")
    if not isinstance(table, dict):
        return command("align", exam.place.root)
    given = table.get("given")
    if not isinstance(given, dict):  # of a place aligned before this was kept; gravity needs none
        return command("align", exam.place.root, *usual.get(str(table.get("method")), ()))
    return command("align", exam.place.root, *given_flags(given))


def given_flags(table: object) -> list[str]:
    """Return the flags that a table of ``place.toml`` says were given."""
    words: list[str] = []
    for name, value in table.items() if isinstance(table, dict) else ():
        values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        words += _flag("--", str(name).replace("_", "-"), values)
    return words


def build_flags(config: DataclassInstance, prefix: str = "--") -> list[str]:
    """Return the flags of ``sightline build`` that give a config; its defaults need none."""
    words: list[str] = []
    usual = type(config)()
    for field in fields(config):
        value, name = getattr(config, field.name), field.name.replace("_", "-")
        if is_dataclass(value) and not isinstance(value, type):
            words += build_flags(value, f"{prefix}{name}.")
        elif value != getattr(usual, field.name):
            words += _flag(prefix, name, value)
    return words


def _flag(prefix: str, name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"{prefix}{name}" if value else f"{prefix}no-{name}"]
    words = [_word(v) for v in (value if isinstance(value, tuple) else (value,))]
    if len(words) == 1 and words[0].startswith("-"):
        return [f"{prefix}{name}={words[0]}"]  # else it would be taken for a flag
    return [f"{prefix}{name}", *words]


def _word(value: object) -> str:
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def more_frames(exam: Examination) -> BuildConfig | None:
    """Return the build with frames taken twice as often, or photos matched harder."""
    config = exam.config
    if not exam.of_video:
        if pairs_kind(exam.frames, config.reconstruction) == "exhaustive":
            return next_quality(exam)
        return replace(config, reconstruction=replace(config.reconstruction, pairs="exhaustive"))
    if config.frames.fps > _MOST_FPS / 2:
        return next_quality(exam)
    return replace(config, frames=replace(config.frames, fps=2 * config.frames.fps))


def next_quality(exam: Examination) -> BuildConfig | None:
    """Return the build with the next higher quality of reconstruction; None above the highest."""
    made = exam.config.reconstruction
    levels = list(QUALITY_PRESETS)
    higher = levels[levels.index(made.quality) + 1 :]
    if not higher:
        return None
    return replace(exam.config, reconstruction=replace(made, quality=higher[0]))


def other_starts(exam: Examination) -> BuildConfig | None:
    """Return the build that begins a doubted map anew; with the next quality where it did."""
    made = exam.config.reconstruction
    if made.mapper == "auto":
        return next_quality(exam)
    return replace(exam.config, reconstruction=replace(made, mapper="auto"))


def sharper(exam: Examination) -> BuildConfig | None:
    """Return the build that takes the sharpest frames, or leaves out blurred photos."""
    config = exam.config
    if not exam.of_video or config.frames.sharpest:
        return only_useful(exam)
    return replace(config, frames=replace(config.frames, sharpest=True))


def only_useful(exam: Examination) -> BuildConfig | None:
    """Return the build that leaves out frames of too little use; None where it did."""
    if exam.config.min_utility >= _GOOD_UTILITY:
        return None
    return replace(exam.config, min_utility=_GOOD_UTILITY)


def without_masks(exam: Examination) -> BuildConfig:
    """Return the build that masks nothing."""
    return replace(exam.config, masks=None, mask_classes=None, mask_weights=None)


def with_intrinsics(exam: Examination) -> str:
    """Return the command that builds with intrinsics to be filled in."""
    made = exam.config.reconstruction
    config = replace(
        exam.config,
        reconstruction=replace(made, camera_params=None, refine_intrinsics=True),
    )
    return build_anew(
        exam,
        config,
        "--reconstruction.camera-params",
        *_PARAMETERS[made.camera_model],
        "--reconstruction.no-refine-intrinsics",
    )


#: What a user fills in, in COLMAP's order.
_PARAMETERS = {
    "SIMPLE_PINHOLE": ("FOCAL", "CX", "CY"),
    "PINHOLE": ("FX", "FY", "CX", "CY"),
    "SIMPLE_RADIAL": ("FOCAL", "CX", "CY", "K1"),
    "RADIAL": ("FOCAL", "CX", "CY", "K1", "K2"),
    "OPENCV": ("FX", "FY", "CX", "CY", "K1", "K2", "P1", "P2"),
}


def free_name(root: Path) -> Path:
    """Return a folder beside a place that is not there yet."""
    # a name such as . or .. has none beside it
    base = root if root.name not in ("", "..") else root.resolve()
    for number in range(2, 100):
        path = base.with_name(f"{base.name}-{number}")
        if not path.exists():
            return path
    return base.with_name(f"{base.name}-new")
