"""Whole image classifiers as feature extractors: their outputs, one number a class."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import CatalogError, WeightsError
from sightline.learning.backbones import (
    Backbone,
    InputContract,
    imagenet_state,
    load_strictly,
    read_state,
    torchvision_classifier,
)
from sightline.learning.torchvision_compat import import_torchvision

#: What TensorFlow's networks take: pixels scaled to -1 .. 1 (x / 127.5 - 1).
_MINUS_ONE_TO_ONE = InputContract(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def create_classifier(
    name: str,
    weights: str = "imagenet",
    *,
    seed: int = 0,
    advice: str = "pass `--weights FILE` with a copy, or `--weights none`",
) -> Backbone:
    """Return a frozen classifier of torchvision whose features are its outputs, one a class.

    Args:
        name: Any classifier of torchvision (``resnet50``, ``mobilenet_v2`` ...).
        weights: ``imagenet`` (torchvision's, through the torch cache); ``none``: random ones, drawn
            by the seed; or a ``.pth``, ``.safetensors`` or ``.npz`` file of the same network, for
            any number of classes. A file without the running statistics of batch norm is one whose
            batch norm is folded into the convolutions, as TensorFlow Lite's are: it is then run as
            TensorFlow runs it, with pixels in -1 .. 1 and convolutions padded at the end.
        seed: Of random weights.
        advice: What to do where ImageNet's weights cannot be downloaded.

    Raises:
        CatalogError: No such classifier.
        WeightsError: The weights cannot be had, or do not fit.
    """
    models = import_torchvision().models
    known = models.list_models(module=models)
    if name not in known:
        raise CatalogError(f"no classifier {name!r}; there are {', '.join(known)}")
    contract = InputContract()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = torchvision_classifier(name)
    if weights == "none":
        origin = f"none: random weights, seed {seed}"
    else:
        published = weights == "imagenet"
        state = imagenet_state(name, advice) if published else read_any_state(Path(weights))
        origin = "torchvision's ImageNet weights" if published else weights
        aux = any(key.startswith(("aux1.", "AuxLogits.")) for key in state)
        classes = _classes(net, state)
        if aux or classes != _outputs(net):
            net = torchvision_classifier(name, aux=aux, classes=classes)
        if _is_folded(net, state):
            state = _unfolded(net, state)
            pad_as_tensorflow(net)
            contract = _MINUS_ONE_TO_ONE
            origin += " (batch norm folded, run as TensorFlow does)"
        load_strictly(net, name, state, origin)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Backbone(
        net,
        _outputs(net),
        name=name,
        contract=contract,
        weights_from=origin,
        frozen=True,
    )


def read_any_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a ``.npz``, ``.safetensors`` or ``.pth`` file; no code in it is run.

    Raises:
        WeightsError: The file is missing, or is not one of weights.
    """
    if path.suffix != ".npz" or not path.is_file():
        return read_state(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            state = {key: torch.from_numpy(np.array(arrays[key])) for key in arrays.files}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path} is not a readable weights file: {first}") from error
    return {key: value.float() if value.is_floating_point() else value
            for key, value in state.items()}  # fmt: skip


def pad_as_tensorflow(net: nn.Module) -> None:
    """Make a network's strided convolutions pad as TensorFlow's "same": more at the end.

    With stride 2 and an even size torchvision pads one pixel on each side where TensorFlow pads
    none in front; the samples then lie one pixel off.
    """
    for name, module in list(net.named_modules()):
        if isinstance(module, nn.Conv2d) and max(module.stride) > 1:
            parent, _, child = name.rpartition(".")
            setattr(net.get_submodule(parent), child, _same_padded(module))


class _SamePadConv(nn.Conv2d):
    """A convolution whose output has ceil(size / stride) pixels, the odd one padded at the end."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        pads: list[int] = []
        for size, kernel, stride, dilation in zip(
            input.shape[:1:-1],
            self.kernel_size[::-1],
            self.stride[::-1],
            self.dilation[::-1],
            strict=True,
        ):
            outputs = -(-size // stride)
            total = max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(input, pads))


def _same_padded(module: nn.Conv2d) -> _SamePadConv:
    made = _SamePadConv(
        module.in_channels,
        module.out_channels,
        module.kernel_size,  # type: ignore[arg-type]
        module.stride,  # type: ignore[arg-type]
        0,
        module.dilation,  # type: ignore[arg-type]
        module.groups,
        bias=module.bias is not None,
    )
    made.weight = module.weight
    made.bias = module.bias
    return made


def _outputs(net: nn.Module) -> int:
    """Return how many numbers a classifier gives."""
    return len(net.get_parameter(f"{_last_layer(net)}.weight"))


def _classes(net: nn.Module, state: dict[str, Tensor]) -> int:
    """Return how many classes a state of a classifier is of; the network's own where unclear."""
    weight = state.get(f"{_last_layer(net)}.weight")
    return len(weight) if weight is not None and weight.ndim else _outputs(net)


def _last_layer(net: nn.Module) -> str:
    name = ""
    for key, module in net.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):  # SqueezeNet ends in a convolution
            name = key
    return name


def _is_folded(net: nn.Module, state: dict[str, Tensor]) -> bool:
    """Return whether a network has batch norm and a state has none of its running statistics."""
    statistics = [key for key in net.state_dict() if key.endswith(".running_mean")]
    return bool(statistics) and not any(key in state for key in statistics)


def _unfolded(net: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a folded state with the batch norms that leave it as it is, but for their bias."""
    whole = dict(state)
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            ones = torch.ones(module.num_features)
            neutral = {
                "weight": ones,
                "bias": torch.zeros_like(ones),
                "running_mean": torch.zeros_like(ones),
                "running_var": ones - module.eps,
                "num_batches_tracked": torch.tensor(0),
            }
            for key, value in neutral.items():
                whole.setdefault(f"{name}.{key}", value)
    return whole
