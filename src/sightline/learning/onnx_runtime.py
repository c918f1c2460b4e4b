"""ONNX's optional packages, imported where they are needed, and onnxruntime's sessions."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from sightline.errors import InputError, WeightsError


def open_session(path: Path) -> Any:
    """Return onnxruntime's session of a file, on the processor, with as many threads as torch.

    Raises:
        InputError: onnxruntime is not installed.
        WeightsError: The file cannot be read.
    """
    import torch

    onnxruntime = need("onnxruntime")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # it raises classes of its own
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path} cannot be read as an ONNX file: {first}") from error


def need(package: str) -> Any:
    """Return one of the packages of ONNX, imported now.

    Raises:
        InputError: It is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise InputError(
            f"the package {package} is wanted, it is not installed; "
            "`pip install sightline[onnx]` installs it"
        ) from error
