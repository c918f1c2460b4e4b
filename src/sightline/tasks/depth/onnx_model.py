"""Depth networks in ONNX files, which say of themselves what goes in and what comes out.

The graph takes ``image``, float32 (1, 3, H, W), RGB from 0 to 255 (the normalisation is inside),
and gives ``prediction``, float32 (1, H, W). What it means stands in the file's metadata, see
:class:`OnnxContract`; ``onnxruntime`` and ``onnxruntime-web`` read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import GeometryError, WeightsError
from sightline.learning.onnx_runtime import open_session
from sightline.records.depth import Quantity
from sightline.records.files import digest_files
from sightline.tasks.depth.maps import DepthMap, Unit
from sightline.tasks.depth.predict import enlarged
from sightline.tasks.depth.sizes import Filter, check_picture, fit_inside, input_size, resized

Picture = NDArray[np.uint8]

#: Names of the graph's input and output.
INPUT, OUTPUT = "image", "prediction"

#: Key of the metadata that holds the contract, as JSON.
METADATA = "sightline.depth"


@dataclass(frozen=True)
class OnnxContract:
    """What an ONNX file says of itself.

    Attributes:
        name: Of the model it was made from.
        digest: Of that model.
        quantity: ``depth`` or ``disparity``.
        unit: ``m`` or ``relative``.
        width: Of the input; of a dynamic one, with ``height``, about the area it is made for.
        height: The same.
        multiple: What width and height are multiples of.
        dynamic: Whether the input may have another size.
        resample: How a picture is resized to the input.
        mean: Subtracted inside the graph, of an image in [0, 1].
        std: Divided by inside the graph.
    """

    name: str
    digest: str
    quantity: Quantity
    unit: Unit
    width: int
    height: int
    multiple: int
    dynamic: bool
    resample: Filter
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def metadata(self) -> dict[str, str]:
        """Return what goes into the file; the keys that a program in a browser wants are plain."""
        plain = {
            "sightline.quantity": self.quantity,
            "sightline.unit": self.unit,
            "sightline.input": "float32 RGB 0..255, (1, 3, H, W); normalised inside",
        }
        return {METADATA: json.dumps(asdict(self)), **plain}


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """An ONNX file as a model that answers.

    Attributes:
        session: Of onnxruntime.
        contract: What the file says of itself.
        path: The file.
    """

    session: Any
    contract: OnnxContract
    path: Path

    @property
    def name(self) -> str:
        """What tables and files call it."""
        return self.contract.name

    @property
    def quantity(self) -> Quantity:
        """What it predicts."""
        return self.contract.quantity

    @property
    def unit(self) -> Unit:
        """In which unit."""
        return self.contract.unit

    @cached_property
    def digest(self) -> str:
        """A short digest of the file."""
        return digest_files([self.path], names=False)

    def predict(self, images: Sequence[Picture]) -> list[DepthMap]:
        """Return the maps of upright uint8 (H, W, 3) RGB pictures, of any sizes.

        A file of a fixed size sees pictures of another aspect whole and undistorted, with their
        edges repeated round them.

        Raises:
            InputError: One is not such a picture.
            GeometryError: An answer is not finite.
        """
        for image in images:
            check_picture(image)
        return [self._one(image) for image in images]

    def _one(self, image: Picture) -> DepthMap:
        c = self.contract
        height, width = image.shape[:2]
        size = input_size(width, height, c.width * c.height, c.multiple)
        if c.dynamic or size == (c.width, c.height):
            values = self._run(resized(image, size, c.resample))
        else:
            left, top, right, bottom = fit_inside(width, height, c.width, c.height)
            inner = resized(image, (right - left, bottom - top), c.resample)
            around = ((top, c.height - bottom), (left, c.width - right), (0, 0))
            values = self._run(np.pad(inner, around, mode="edge"))[top:bottom, left:right]
        full = enlarged(torch.from_numpy(np.ascontiguousarray(values)), image.shape)
        return DepthMap(full, self.quantity, self.unit)

    def _run(self, image: Picture) -> NDArray[np.float32]:
        pixels = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)
        values: NDArray[np.float32] = self.session.run([OUTPUT], {INPUT: pixels})[0][0]
        if not np.isfinite(values).all():
            raise GeometryError(f"finite depths are wanted; the network {self.name} gave others")
        return values


def load_onnx(path: str | Path) -> OnnxModel:
    """Return the model of an ONNX file that ``sightline export depth`` wrote.

    Raises:
        InputError: The packages are not installed.
        WeightsError: The file is missing, damaged, or none of ours.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"an ONNX file is wanted, {path} does not exist")
    session = open_session(path)
    found = session.get_modelmeta().custom_metadata_map
    return OnnxModel(session, _contract(found, path), path)


def _contract(metadata: Mapping[str, str], path: Path) -> OnnxContract:
    try:
        content = json.loads(metadata[METADATA])
        content["mean"], content["std"] = tuple(content["mean"]), tuple(content["std"])
        return OnnxContract(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"an ONNX file that `sightline export depth` wrote is wanted, {path} does not say "
            "what it predicts"
        ) from error
