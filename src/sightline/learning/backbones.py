"""Backbones: any torchvision classifier without its classification layer, and our own small one."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import CatalogError, WeightsError
from sightline.learning.runs import WEIGHTS
from sightline.learning.torchvision_compat import import_torchvision

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

#: Our own backbone's name; every other name is torchvision's.
COMPACT = "compact"

#: These have auxiliary heads, and their published weights want inputs scaled as they were trained.
_INCEPTIONS = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class InputContract:
    """What a network's images must be; it travels with the weights.

    Attributes:
        width: Pixels.
        height: Pixels.
        mean: RGB mean of the [0, 1] image, subtracted.
        std: RGB standard deviation, divided by.
    """

    width: int = 224
    height: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def normalise(self, images: Tensor) -> Tensor:
        """Return float (N, 3, H, W) network inputs of uint8 or 0..255 float (N, 3, H, W) images."""
        mean = torch.tensor(self.mean, device=images.device).mul_(255.0)
        std = torch.tensor(self.std, device=images.device).mul_(255.0)
        return (images.float() - mean[:, None, None]) / std[:, None, None]


class Backbone(nn.Module):
    """A feature extractor: (N, 3, H, W) normalised images to (N, ``features``).

    Attributes:
        features: Length of the feature vector.
        contract: What the images must be.
        weights_from: Where the weights came from, in words, for logs and model cards.
        frozen: Whether it stays as it is: no gradients, batch norm in eval mode (PITFALLS 9).
    """

    def __init__(
        self,
        net: nn.Module,
        features: int,
        *,
        name: str,
        contract: InputContract,
        weights_from: str,
        frozen: bool,
    ) -> None:
        super().__init__()
        self.net = net
        self.features = features
        self.name = name
        self.contract = contract
        self.weights_from = weights_from
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> Backbone:
        """Set training mode; a frozen backbone stays in eval mode."""
        super().train(mode and not self.frozen)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, features) of normalised images."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            out: Tensor = self.net(images)
        return out


class CompactNet(nn.Module):
    """A small convolutional network for training from scratch on a CPU.

    A wide stride-4 stem keeps the arithmetic at low resolution; the features keep the layout of
    the image (a 3 x 4 grid, or 4 x 3 for portrait), because where things are in the image is what
    tells where the camera is.
    """

    def __init__(self, grid: tuple[int, int], channels: int = 128) -> None:
        super().__init__()
        self.features = channels * grid[0] * grid[1]
        self.body = nn.Sequential(
            conv_block(3, 48, kernel=7, stride=4),
            conv_block(48, 96, stride=2),
            conv_block(96, 192, stride=2),
            conv_block(192, 256, stride=2),
            conv_block(256, channels, kernel=1, stride=1),
        )
        self.pool = nn.AdaptiveAvgPool2d(grid)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, features)."""
        layout: Tensor = self.body(images.contiguous(memory_format=torch.channels_last))
        pooled: Tensor = self.pool(layout)
        return pooled.flatten(1)


def backbone_names() -> list[str]:
    """Return the names :func:`create_backbone` takes."""
    models = import_torchvision().models
    return [COMPACT, *models.list_models(module=models)]


def create_backbone(
    name: str,
    *,
    weights: str = "imagenet",
    frozen: bool = False,
    width: int = 224,
    height: int = 224,
) -> Backbone:
    """Return a backbone with its weights and its input contract.

    Args:
        name: ``compact``, or any torchvision classifier (``resnet34``, ``efficientnet_b7`` ...).
        weights: ``imagenet`` (torchvision's, through the torch cache), a ``.pth`` or
            ``.safetensors`` file of the same network, a run on the same backbone (its folder, or
            the weights in it), or ``none``: from scratch.
        frozen: Keep the weights as they are.
        width: Input width in pixels.
        height: Input height in pixels.

    Raises:
        CatalogError: No such backbone.
        WeightsError: The weights cannot be had, or do not fit.
    """
    inside = _backbone_inside(weights)
    whole = "none" if inside else weights
    if name == COMPACT:
        compact = CompactNet((4, 3) if height > width else (3, 4))
        net: nn.Module = compact
        features = compact.features
        if whole == "imagenet":
            raise WeightsError(
                "the compact backbone has no ImageNet weights; pass `--weights none` or a FILE"
            )
        weights_from = "none: trained from scratch"
        if whole != "none":
            weights_from = load_strictly(net, name, read_state(Path(weights)), weights)
    else:
        net, weights_from = _torchvision_net(name, whole)
        features = _remove_classifier(net, name)
    if inside:
        weights_from = load_strictly(net, name, inside, f"the backbone of {weights}")
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Backbone(
        net,
        features,
        name=name,
        contract=InputContract(width, height),
        weights_from=weights_from,
        frozen=frozen,
    )


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors`` or ``.pth`` file; no code in it is run.

    Raises:
        WeightsError: The file is missing, or is not one of weights.
    """
    if not path.is_file():
        raise WeightsError(f"a weights file is wanted, {path} does not exist; check `--weights`")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path} is not a readable weights file: {first}") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path}: a table of name to tensor is wanted, something else came")
    return state


def _backbone_inside(weights: str) -> dict[str, Tensor]:
    """Return the backbone's part of a run's weights; nothing of weights of another kind."""
    path = Path(weights) / WEIGHTS if Path(weights).is_dir() else Path(weights)
    if weights in ("imagenet", "none") or path.name != WEIGHTS or not path.is_file():
        return {}
    prefix = "backbone.net."
    state = read_state(path)
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def state_digest(module: nn.Module) -> str:
    """Return a short digest of a module's weights."""
    sha = hashlib.sha256()
    for key, value in sorted(module.state_dict().items()):
        sha.update(key.encode())
        sha.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return sha.hexdigest()[:16]


def _torchvision_net(name: str, weights: str) -> tuple[nn.Module, str]:
    models = import_torchvision().models
    known = models.list_models(module=models)
    if name not in known:
        raise CatalogError(f"no backbone {name!r}; there are {COMPACT}, {', '.join(known)}")
    if weights == "none":
        return torchvision_classifier(name, aux=False), "none: trained from scratch"
    if weights == "imagenet":
        state = imagenet_state(name)
        origin = "torchvision's ImageNet weights"
    else:
        state = read_state(Path(weights))
        origin = weights
    net = torchvision_classifier(
        name, aux=any(key.startswith(("aux1.", "AuxLogits.")) for key in state)
    )
    origin = load_strictly(net, name, state, origin)
    if name in _INCEPTIONS:
        net.aux_logits = False  # type: ignore[assignment]
        for auxiliary in ("aux1", "aux2", "AuxLogits"):
            if getattr(net, auxiliary, None) is not None:
                setattr(net, auxiliary, None)
    return net, origin


def torchvision_classifier(name: str, *, aux: bool = False, classes: int = 1000) -> nn.Module:
    """Return one of torchvision's classifiers as it is made, without weights.

    Args:
        name: As torchvision has it.
        aux: Give the Inceptions their auxiliary heads.
        classes: It tells apart.
    """
    models = import_torchvision().models
    options: dict[str, Any] = {"num_classes": classes}
    if name in _INCEPTIONS:
        options |= {"aux_logits": aux, "transform_input": True, "init_weights": False}
    net: nn.Module = models.get_model(name, weights=None, **options)
    return net


def imagenet_weights(name: str) -> Any:
    """Return torchvision's description of a classifier's ImageNet weights: the papers' ones."""
    of_network = import_torchvision().models.get_model_weights(name)
    if "IMAGENET1K_V1" in of_network.__members__:
        return of_network.IMAGENET1K_V1
    return of_network.DEFAULT


def imagenet_state(
    name: str,
    advice: str = "pass `--weights FILE` with a copy, or `--weights none` to train from scratch",
) -> dict[str, Tensor]:
    """Return torchvision's ImageNet weights of a classifier, through the torch cache.

    Args:
        name: As torchvision has it.
        advice: What to do where they cannot be downloaded.

    Raises:
        WeightsError: They cannot be downloaded.
    """
    return hub_state(name, imagenet_weights(name), advice, kind="ImageNet weights")


def hub_state(name: str, chosen: Any, advice: str, kind: str = "weights") -> dict[str, Tensor]:
    """Return weights that torchvision describes, through the torch cache.

    Args:
        name: Of the network.
        chosen: A member of its enumeration of weights.
        advice: What to do where they cannot be downloaded.
        kind: What the message calls them.

    Raises:
        WeightsError: They cannot be downloaded.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*TypedStorage is deprecated.*")
            state: dict[str, Tensor] = chosen.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{kind} of {name} cannot be downloaded from {chosen.url} ({first}); {advice}"
        ) from error
    return state


def load_strictly(net: nn.Module, name: str, state: dict[str, Tensor], origin: str) -> str:
    """Load weights, every one of them, and return where they came from.

    Raises:
        WeightsError: Names or shapes differ.
    """
    try:
        net.load_state_dict(state, strict=True)
    except RuntimeError as error:
        detail = "; ".join(line.strip() for line in str(error).splitlines()[1:])[:300]
        raise WeightsError(f"{origin} does not fit {name}: {detail}") from error
    return origin


def _remove_classifier(net: nn.Module, name: str) -> int:
    """Replace the last linear layer by identity and return how many features fed it."""
    linear = [key for key, module in net.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise CatalogError(
            f"{name} ends in no linear classifier, so it gives no feature vector; choose another"
        )
    parent, _, child = linear[-1].rpartition(".")
    layer = net.get_submodule(linear[-1])
    setattr(net.get_submodule(parent), child, nn.Identity())
    return int(layer.in_features)  # type: ignore[arg-type]


def conv_block(
    channels_in: int, channels_out: int, *, kernel: int = 3, stride: int
) -> nn.Sequential:
    """Return a convolution without bias, its batch norm, and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )
