"""``import torchvision`` where its compiled extension cannot load (a CUDA wheel beside CPU torch).

The registry's torchvision wheel is linked against CUDA torch. Beside a CPU-only torch its import
stops with "operator torchvision::nms does not exist". :func:`import_torchvision` does nothing
special where the extension loads; elsewhere it declares the operators that torchvision insists
on, gives ``nms`` a CPU kernel and ``roi_align`` a lean differentiable one, and imports
torchvision. Lightning and torchmetrics import torchvision where it is installed, so call this
before them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.errors import WeightsError

_LOCK = threading.Lock()
_library: Any = None  # must outlive its registrations


def import_torchvision() -> ModuleType:
    """Return torchvision, with working ``nms`` and ``roi_align`` whatever torch is beside it.

    Raises:
        WeightsError: torchvision is not installed.
    """
    global _library  # noqa: PLW0603
    with _LOCK:
        if _library is None and "torchvision" not in sys.modules and not extension_loads():
            _library = _declare_operators()
            module = importlib.import_module("torchvision")
            _replace_python_fallbacks()
            return module
        return importlib.import_module("torchvision")


def extension_loads() -> bool:
    """Return whether torchvision's compiled extension loads beside this torch."""
    spec = importlib.util.find_spec("torchvision")  # finds, does not import
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError("torchvision is wanted, it is not installed; `pip install torchvision`")
    operators: Any = torch.ops  # has no type hints
    for library in sorted(Path(spec.submodule_search_locations[0]).glob("_C*.so")):
        try:
            operators.load_library(str(library))
        except OSError:
            continue
        return True
    return False


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return the indices that greedy non-maximum suppression keeps, by falling score.

    Args:
        boxes: (N, 4) as x1, y1, x2, y2.
        scores: (N,).
        iou_threshold: Boxes that overlap a kept one by more than this are dropped.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    x1, y1, x2, y2 = boxes[order].detach().double().numpy().T
    area = (x2 - x1) * (y2 - y1)
    rest = np.arange(len(order))
    keep: list[int] = []
    while rest.size:
        best, rest = rest[0], rest[1:]
        keep.append(int(best))
        width = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest])
        height = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest])
        overlap = width.clip(min=0) * height.clip(min=0)
        # intersection > threshold * union, so that empty boxes divide by nothing
        rest = rest[overlap <= iou_threshold * (area[best] + area[rest] - overlap)]
    return order[torch.tensor(keep, dtype=torch.int64)]


def roi_align(
    features: Tensor,
    rois: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Return RoIAlign's pooled regions, differentiable in ``features``.

    torchvision's own Python fallback gives the same values, but compiles for a minute on first
    use and holds every bilinear corner at once (tens of GB in a Mask R-CNN training step).

    Args:
        features: (B, C, H, W).
        rois: (K, 5) as image index, x1, y1, x2, y2 in input pixels.
        spatial_scale: Feature pixels per input pixel.
        pooled_height: Output rows.
        pooled_width: Output columns.
        sampling_ratio: Samples a bin and axis; 0 or less: as many as the bin has pixels.
        aligned: Whether pixel centres lie at half coordinates (Detectron2).

    Returns:
        (K, C, pooled_height, pooled_width).

    Source: He et al. 2017, Mask R-CNN, section 3.
    """
    x1, y1, x2, y2 = (rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)).unbind(1)
    roi_w, roi_h = x2 - x1, y2 - y1
    if not aligned:
        roi_w, roi_h = roi_w.clamp(min=1), roi_h.clamp(min=1)
    if sampling_ratio > 0:
        per_y = per_x = rois.new_full((len(rois),), sampling_ratio).long()
    else:
        per_y = torch.ceil(roi_h / pooled_height).long().clamp(min=1)
        per_x = torch.ceil(roi_w / pooled_width).long().clamp(min=1)
    out = features.new_zeros(len(rois), features.shape[1], pooled_height, pooled_width)
    # regions of one image with the same sample counts go through grid_sample together
    groups = torch.stack([rois[:, 0].long(), per_y, per_x], 1)
    for image, n_y, n_x in sorted(set(map(tuple, groups.tolist()))):
        which = (groups == groups.new_tensor([image, n_y, n_x])).all(1).nonzero().squeeze(1)
        ys = _sample_positions(y1[which], roi_h[which], pooled_height, n_y)
        xs = _sample_positions(x1[which], roi_w[which], pooled_width, n_x)
        values = _bilinear(features[image], ys, xs)
        pooled = torch.nn.functional.avg_pool2d(values, (n_y, n_x)).transpose(0, 1)
        out = out.index_copy(0, which, pooled)
    return out


def _sample_positions(start: Tensor, length: Tensor, bins: int, per_bin: int) -> Tensor:
    steps = torch.arange(bins * per_bin, dtype=start.dtype, device=start.device)
    return start[:, None] + length[:, None] * ((steps + 0.5) / (bins * per_bin))


def _bilinear(feature: Tensor, ys: Tensor, xs: Tensor) -> Tensor:
    """Return (C, K, Y, X) values of a (C, H, W) map at (K, Y) x (K, X) positions, 0 outside."""
    height, width = feature.shape[-2:]
    inside_y, inside_x = (ys >= -1) & (ys <= height), (xs >= -1) & (xs <= width)
    inside = inside_y[:, :, None] & inside_x[:, None, :]
    y = 2 * ys.clamp(0, height - 1) / max(height - 1, 1) - 1
    x = 2 * xs.clamp(0, width - 1) / max(width - 1, 1) - 1
    grid = torch.stack(
        [x[:, None, :].expand(inside.shape), y[:, :, None].expand(inside.shape)], dim=-1
    )
    values = torch.nn.functional.grid_sample(
        feature[None],
        grid.reshape(1, -1, grid.shape[2], 2).to(feature.dtype),
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    )
    return values.reshape(feature.shape[0], *inside.shape) * inside


def _declare_operators() -> Any:
    make: Any = torch.library.Library  # has no type hints
    library = make("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", nms, "CPU")
    return library


def _replace_python_fallbacks() -> None:
    # the names are reached through sys.modules: torchvision.ops.roi_align is also a function
    boxes = sys.modules["torchvision.ops.boxes"]
    boxes.__dict__["_assert_has_ops"] = lambda: None  # nms() asks for the extension
    sys.modules["torchvision.ops.roi_align"].__dict__["_roi_align"] = roi_align
