"""A COLMAP model with lists of its training and test images.

The lists name an image a line, as the model does; what comes after the name (hloc writes
intrinsics there) is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sightline.datasets.colmap_pairs import images_of_model
from sightline.datasets.turned import as_read
from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.records import Place, PosedFrame
from sightline.records.colmap import read_posed_images
from sightline.records.colmap_files import has_model
from sightline.records.posed_images import place_from_frames

#: Names of lists that are looked for beside the model and above it.
LIST_NAMES = {
    "train": ("train.txt", "list_train.txt", "train_list.txt", "list_db.txt"),
    "validation": ("val.txt", "validation.txt", "list_val.txt", "val_list.txt"),
    "test": ("test.txt", "list_test.txt", "test_list.txt", "list_query.txt"),
}
#: Where COLMAP and those who use it put a model inside a project.
_MODEL_FOLDERS = ("", "sparse", "model", "colmap/sparse", "colmap/sparse/0", "dense/sparse")


def make_place(
    source: str | Path,
    root: str | Path,
    *,
    link: bool = False,
    images: Path | None = None,
    train_list: Path | None = None,
    validation_list: Path | None = None,
    test_list: Path | None = None,
    metres_per_unit: float | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Place:
    """Return a place made of a COLMAP model, with its cameras and the parts its lists give.

    A part without a list gets what the others leave, where one of train and test has one.

    Args:
        source: The model's folder (text or binary), or the project's with one model in it.
        root: Folder of the place.
        link: Make symbolic links to the images instead of copies.
        images: The folder of the images; looked for as ``images/`` where not given.
        train_list: Names of the training images; looked for where not given.
        validation_list: The same for validation.
        test_list: The same for the test.
        metres_per_unit: What a unit of the model is in metres; arbitrary where not known.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: The model, a list or an image is missing or does not read.
        PlaceError: ``root`` holds other things.
    """
    source = Path(source)
    model = find_model(source)
    posed = read_posed_images(model)
    if not posed:
        raise InputError(f"{model}: a model with registered images is wanted, it has none")
    folder = images or images_of_model(model, next(iter(posed)))
    given = {"train": train_list, "validation": validation_list, "test": test_list}
    split_of = read_parts(_lists(model, source, given), set(posed), folder)
    frames, cameras = _frames(posed, split_of, folder)
    lost = sum(frame.world_from_cam is None for frame in frames)
    notes = [f"{lost} images of the lists have no pose in the model"] if lost else []
    without = len(posed) - len(cameras)
    notes += [f"{without} images have a camera of a model that we do not know"] if without else []
    return place_from_frames(
        root,
        frames,
        folder,
        unit="arbitrary",
        metres_per_unit=metres_per_unit,
        source=source,
        cameras=cameras,
        notes=notes,
        link=link,
        progress=progress,
    )


def find_model(source: Path) -> Path:
    """Return the folder of the one COLMAP model in a project.

    Raises:
        InputError: There is none, or there are several of one reconstruction.
    """
    for name in _MODEL_FOLDERS:
        folder = source / name
        if has_model(folder):
            return folder
        models = [one for one in sorted(folder.glob("[0-9]*")) if has_model(one)]
        if len(models) == 1:
            return models[0]
        if models:
            raise InputError(
                f"{folder}: one model is wanted, there are {', '.join(m.name for m in models)}; "
                "give the folder of one of them"
            )
    raise InputError(
        f"a COLMAP model (cameras, images, points3D as .bin or .txt) is wanted in {source} or "
        f"its {', '.join(name for name in _MODEL_FOLDERS if name)}; there is none"
    )


def read_parts(lists: Mapping[str, Path], registered: set[str], images: Path) -> dict[str, str]:
    """Return the part of each image that the lists name, or leave to the only one without.

    Args:
        lists: Part -> its list; parts without one are left out.
        registered: Names of the images with a pose.
        images: Their folder: a name that is neither registered nor a file there is refused.

    Raises:
        InputError: A list is missing or empty, names no image, or one that another list names.
    """
    split_of: dict[str, str] = {}
    for split, path in lists.items():
        for number, name in _names(path):
            known = _resolve(name, registered, images)
            if known is None:
                raise InputError(
                    f"{path}, line {number}: the name of an image is wanted, {name!r} is neither "
                    f"in the model nor in {images}"
                )
            if split_of.setdefault(known, split) != split:
                raise InputError(
                    f"{path}, line {number}: {known} is in {split_of[known]} and in {split}; "
                    "an image is wanted in one part only"
                )
    rest = {"train", "test"} - set(lists)
    if len(rest) == 1:
        split_of |= dict.fromkeys(registered - set(split_of), rest.pop())
    return split_of


def _lists(model: Path, source: Path, given: Mapping[str, Path | None]) -> dict[str, Path]:
    """Return the list of each part: the one given, else the one nearest above the model."""
    found = {}
    # A project's root may hold the lists (sparse/0 is two folders deep); what lies above it is not
    # its own.
    above = [model, *model.absolute().parents[:4]]
    above = above[: 3 if model == source else above.index(source.absolute()) + 1]
    for split, path in given.items():
        tried = [folder / name for folder in above for name in LIST_NAMES[split]]
        chosen = path or next((candidate for candidate in tried if candidate.is_file()), None)
        if chosen is not None:
            found[split] = chosen
    return found


def _names(path: Path) -> list[tuple[int, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a list of images in UTF-8 is wanted ({error})") from error
    names = [
        (number, line.strip())
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not names:
        raise InputError(f"{path}: names of images are wanted, the file has none")
    return names


def _resolve(line: str, registered: set[str], images: Path) -> str | None:
    """Return the image that a line names: all of it, or its first word."""
    candidates = [
        name.removeprefix("./").removeprefix(prefix)
        for name in (line, line.split(maxsplit=1)[0])
        for prefix in ("", f"{images.name}/")
    ]
    in_model = next((name for name in candidates if name in registered), None)
    return in_model or next((name for name in candidates if (images / name).is_file()), None)


def _frames(
    posed: Mapping[str, tuple[Pose, Camera | None]], split_of: Mapping[str, str], folder: Path
) -> tuple[list[PosedFrame], dict[str, Camera]]:
    """Return the frames by name and their cameras, as the photos are read (upright)."""
    frames = []
    cameras = {}
    for name in sorted({*posed, *split_of}):
        pose, camera = posed.get(name, (None, None))
        if pose is not None:
            if not (folder / name).is_file():
                raise InputError(f"{folder / name} is wanted; give the model's folder of images")
            # COLMAP takes the pixels as they are stored.
            camera, pose = as_read(folder / name, camera, pose)
            if camera is not None:
                cameras[name] = camera
        frames.append(PosedFrame(name, None, pose, split_of.get(name, "")))
    return frames, cameras
