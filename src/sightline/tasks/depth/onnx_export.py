"""Depth networks written as ONNX files, and compared with torch before the file gets its name."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sightline.errors import InputError, WeightsError
from sightline.learning.backbones import InputContract
from sightline.learning.onnx_runtime import need, open_session
from sightline.records.files import atomic_path
from sightline.tasks.depth.models import load_model
from sightline.tasks.depth.onnx_model import INPUT, OUTPUT, OnnxContract
from sightline.tasks.depth.onnx_options import OnnxOptions
from sightline.tasks.depth.predict import NetworkModel
from sightline.tasks.depth.pretrained import PretrainedModel
from sightline.tasks.depth.small import SmallNet

#: Largest difference between ONNX and torch, as a share of the range of torch's answer.
TOLERANCE = 1e-3

#: A file of ONNX is one protocol buffer, which ends at 2 GiB.
_LARGEST_BYTES = 2**31 - 2**24


@dataclass(frozen=True)
class OnnxExport:
    """What was written.

    Attributes:
        path: The file.
        contract: What it says of itself.
        difference: Largest difference to torch, in the unit of the prediction.
    """

    path: Path
    contract: OnnxContract
    difference: float

    def line(self) -> str:
        """Return what a user should know of it."""
        c = self.contract
        size = "any size" if c.dynamic else f"{c.width} x {c.height} pixels"
        return (
            f"written: {self.path} ({c.quantity}, {size}, "
            f"{self.path.stat().st_size / 1e6:.1f} MB; differs from torch by at most "
            f"{self.difference:.2g}{' m' if c.unit == 'm' else ''})"
        )


def export_model(destination: Path, options: OnnxOptions) -> OnnxExport:
    """Write a depth model as an ONNX file: ``sightline export depth``.

    Raises:
        InputError: The size does not fit, the file is there, or packages are missing.
        WeightsError: The model cannot be had, or ONNX computes something else.
    """
    _refuse(destination)
    model = load_model(options.weights or None)
    if not isinstance(model, NetworkModel | PretrainedModel):
        raise InputError(f"a network in torch is wanted, {options.weights} is an ONNX file already")
    return export_onnx(
        model, destination, width=options.width, height=options.height, dynamic=options.dynamic
    )


def export_onnx(
    model: NetworkModel | PretrainedModel,
    path: str | Path,
    *,
    width: int = 0,
    height: int = 0,
    dynamic: bool = False,
) -> OnnxExport:
    """Write a depth model as an ONNX file and return how far it is from torch.

    Args:
        model: What to write; on the processor, in float32.
        path: A new file.
        width: Of the input in pixels, a multiple of the network's patch or stride; 0 = its own.
        height: The same.
        dynamic: Let the input have any size in multiples. Transformers' networks fix their
            positions and sizes in the graph, so this is for the architecture ``small``.

    Raises:
        InputError: The size does not fit, the file is there, or packages are missing.
        WeightsError: ONNX computes something else, or the file would be too large for one.
    """
    path = Path(path)
    _refuse(path)
    for package in ("onnx", "onnxscript", "onnxruntime"):
        need(package)
    graph = _Graph(model)
    _refuse_large(graph)
    if dynamic and not isinstance(graph.network, SmallNet):
        raise InputError(
            f"a network of the architecture small is wanted for an input of any size, {model.name} "
            "has its size in the graph; leave out --dynamic and pass --width and --height"
        )
    contract = _contract(model, graph, width, height, dynamic)
    with atomic_path(path) as temporary:
        _write(graph, contract, temporary)
        difference = _compare(graph, contract, temporary)
    return OnnxExport(path, contract, difference)


class _Graph(nn.Module):
    """A network with its normalisation, one tensor in and one out."""

    def __init__(self, model: NetworkModel | PretrainedModel) -> None:
        super().__init__()
        self.network: nn.Module = model.network
        self.contract: InputContract = model.contract
        self.multiple: int = model.multiple
        self._answer = "prediction" if isinstance(model, NetworkModel) else "predicted_depth"
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = getattr(self.network(self.contract.normalise(image)), self._answer)
        return out


def _contract(
    model: NetworkModel | PretrainedModel, graph: _Graph, width: int, height: int, dynamic: bool
) -> OnnxContract:
    own, multiple = graph.contract, graph.multiple
    sides = [
        given or max(multiple, round(side * model.resolution / multiple) * multiple)
        for given, side in ((width, own.width), (height, own.height))
    ]
    if any(side < multiple or side % multiple for side in sides):
        raise InputError(
            f"a width and height in multiples of {multiple} are wanted for {model.name}, "
            f"{sides[0]} x {sides[1]} came"
        )
    return OnnxContract(
        name=model.name,
        digest=model.digest,
        quantity=model.quantity,
        unit=model.unit,
        width=sides[0],
        height=sides[1],
        multiple=multiple,
        dynamic=dynamic,
        resample="bilinear" if isinstance(model, NetworkModel) else "bicubic",
        mean=own.mean,
        std=own.std,
    )


def _write(graph: _Graph, contract: OnnxContract, path: Path) -> None:
    example = torch.rand(1, 3, contract.height, contract.width) * 255
    shapes: dict[str, Any] | None = None
    if contract.dynamic:
        side = torch.export.Dim
        rows, columns = side("rows", min=2, max=512), side("columns", min=2, max=512)
        shapes = {INPUT: {2: contract.multiple * rows, 3: contract.multiple * columns}}
    with warnings.catch_warnings():
        # torch.export's own, of a class that pytree has renamed
        warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*")
        program: Any = torch.onnx.export(
            graph,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )
    program.model.metadata_props.update(contract.metadata())
    program.save(str(path), external_data=False)


def _compare(graph: _Graph, contract: OnnxContract, path: Path) -> float:
    """Return the largest difference between the file and the network.

    Raises:
        WeightsError: It is more than rounding.
    """
    session = open_session(path)
    sizes = [(contract.width, contract.height)]
    if contract.dynamic:
        sizes.append((contract.width + contract.multiple, 2 * contract.height))
    worst = 0.0
    for width, height in sizes:
        image = _check_picture(width, height)
        with torch.no_grad():
            expected = graph(image).numpy()
        came = session.run([OUTPUT], {INPUT: image.numpy()})[0]
        if came.shape != expected.shape:
            raise WeightsError(
                f"the ONNX file of {contract.name} answers in the shape {came.shape} to an image "
                f"of {width} x {height} pixels; it was not kept"
            )
        difference = float(np.abs(came - expected).max())
        limit = TOLERANCE * max(float(np.ptp(expected)), 1e-3 * float(np.abs(expected).max()))
        if not difference <= max(limit, 1e-6):
            raise WeightsError(
                f"the ONNX file of {contract.name} differs from torch by {difference:.2g}, more "
                f"than {limit:.2g}; it was not kept"
            )
        worst = max(worst, difference)
    return worst


def _check_picture(width: int, height: int) -> Tensor:
    """Return (1, 3, H, W): a ramp along each side, and noise."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(3, height, width, generator=generator) * 100
    down = torch.linspace(0, 100, height)[:, None]
    across = torch.linspace(0, 55, width)[None, :]
    return (noise + down + across)[None]


def _refuse(path: Path) -> None:
    if path.suffix.lower() != ".onnx":
        raise InputError(f"a new file NAME.onnx is wanted, {path} came")
    if path.exists():
        raise InputError(f"a new file is wanted, {path} is there already; choose another name")


def _refuse_large(graph: _Graph) -> None:
    size = sum(p.numel() * p.element_size() for p in graph.parameters())
    if size > _LARGEST_BYTES:
        raise WeightsError(
            f"a network of 2 GB or less is wanted for one ONNX file, this one takes "
            f"{size / 1e9:.1f} GB; take a smaller one"
        )
