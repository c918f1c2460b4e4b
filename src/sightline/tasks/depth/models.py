"""Any depth model by its name: the package's, a run, Depth Anything's, or an ONNX file."""

from __future__ import annotations

from pathlib import Path

import torch

from sightline.errors import InputError
from sightline.learning.runs import CONFIG
from sightline.records.depth_labels import is_label_folder
from sightline.tasks.depth.maps import DepthModel
from sightline.tasks.depth.predict import load_run
from sightline.tasks.depth.pretrained import load_pretrained


def load_model(
    source: str | Path | None = None, *, resolution: float = 1.0, device: str = "cpu"
) -> DepthModel:
    """Return a depth model.

    Args:
        source: A run folder; a hub name or a local folder of Depth Anything; an ``.onnx`` file;
            None: the network that comes with the package.
        resolution: Sides of what the network sees, over its own: more than 1 for more detail.
        device: As torch names it: ``cpu``, ``cuda``.

    Raises:
        InputError: There is no such thing, it is of another task, or there is no such device.
        WeightsError: The weights cannot be had, or do not fit.
    """
    _require_device(device)
    if source is None:
        from sightline.tasks.depth.checkpoint import need_default_model

        return need_default_model(resolution=resolution, device=device)
    path = Path(source).expanduser()
    if path.suffix.lower() == ".onnx":
        from sightline.tasks.depth.onnx_model import load_onnx

        if resolution != 1.0:
            raise InputError(
                f"{source} sees pictures at the size it was exported at; export another one for "
                f"the resolution {resolution:g}"
            )
        return load_onnx(path)
    if is_label_folder(path):
        raise InputError(
            f"a network is wanted, {source} holds labels that one made; name the run of its teacher"
        )
    if (path / CONFIG).is_file():
        return load_run(path, resolution=resolution, device=device)
    if path.is_dir() and not (path / "config.json").is_file():
        raise InputError(
            f"a run folder or a folder of Depth Anything is wanted, {source} has neither "
            f"{CONFIG} nor config.json"
        )
    named = str(source).count("/") == 1 and not path.parent.is_dir()
    if not path.exists() and not named:
        raise InputError(
            "a run folder, a hub name (OWNER/NAME) or folder of Depth Anything, or an .onnx file "
            f"is wanted; {source} does not exist"
        )
    return load_pretrained(source, resolution=resolution, device=device)


def _require_device(device: str) -> None:
    """Refuse a device that is not there, before anything is read."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:  # by kind of device
        there = "cpu, cuda" if torch.cuda.is_available() else "cpu"
        raise InputError(
            f"a device of this machine is wanted ({there}), {device} came; pass another --device"
        ) from error
