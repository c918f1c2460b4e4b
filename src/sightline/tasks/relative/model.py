"""The networks: cnnA, cnnB, cnnAspp, cnnBspp (paper 002), MeNet (paper 000), any backbone twice.

Every network takes two batches of images and their cameras, and gives seven raw numbers a pair:
a quaternion wxyz and a translation, not normalised. Only the correlation network looks at cameras.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from sightline.errors import WeightsError
from sightline.learning.backbones import InputContract, create_backbone, read_state
from sightline.tasks.relative.config import RelativeConfig, scaled_channels
from sightline.tasks.relative.spp import SpatialPyramid

#: Channels of the five convolutions: the paper's, and those of torchvision's AlexNet.
PAPER_CHANNELS = (96, 256, 384, 384, 256)
TORCHVISION_CHANNELS = (64, 192, 384, 256, 256)

#: Kernel, stride and padding of the five convolutions; torchvision's first has padding 2.
_KERNELS = ((11, 4, 0), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1))
_POOLED_AFTER = (0, 1)
_GROUPED = (1, 3, 4)

SPP_LEVELS = {"cnnAspp": (1, 2, 3, 6), "cnnBspp": (1, 2, 3, 6, 13)}

#: MeNet's nine convolutions: channels, kernel, stride. Paper 000 draws nine and gives no sizes;
#: these are FlowNet's, which the pose networks on stacked images of its time use (DeepVO).
MENET_LAYERS = (
    (64, 7, 2), (128, 5, 2), (256, 5, 2), (256, 3, 1), (512, 3, 2),
    (512, 3, 1), (512, 3, 2), (512, 3, 1), (1024, 3, 2),
)  # fmt: skip
_MENET_GRID, _MENET_HIDDEN = 4, 512


@dataclass
class Matches:
    """How the cells of two images were matched.

    Attributes:
        b_of_a: (N, A, B) probability that a cell of a is seen in a cell of b; sums to 1 over B.
        a_of_b: (N, A, B) the other way round; sums to 1 over A.
        rays_a: (N, A, 2) the cells' centres on the plane z = 1 of camera a.
        rays_b: (N, B, 2) of camera b.
        grid: Rows and columns of cells.
    """

    b_of_a: Tensor
    a_of_b: Tensor
    rays_a: Tensor
    rays_b: Tensor
    grid: tuple[int, int]


@dataclass
class RelativeOutput:
    """What a network says of a batch of pairs.

    Attributes:
        raw: (N, 7) quaternion wxyz and translation of b_from_a, of any length.
        matches: Of a network that matches.
        coarse: (N, 7) its first answer, where ``raw`` is that made to agree with the matches.
        evidence: (N, K) what speaks for each answer (:mod:`.calibration`), of a network that
            matches.
    """

    raw: Tensor
    matches: Matches | None = None
    coarse: Tensor | None = None
    evidence: Tensor | None = None


class RelativeNet(nn.Module):
    """What all networks share: how images are normalised, and how raw numbers become a pose."""

    def __init__(
        self, contract: InputContract, weights_from: str, *, caffe_colours: bool = False
    ) -> None:
        super().__init__()
        self.contract = contract
        self.weights_from = weights_from
        self.caffe_colours = caffe_colours
        self.precision = torch.float32

    def forward(
        self, image_a: Tensor, image_b: Tensor, camera_a: Tensor, camera_b: Tensor
    ) -> RelativeOutput:
        """Return raw poses.

        Args:
            image_a: (N, 3, H, W) uint8, or 0..255 float, RGB.
            image_b: The same of the second images.
            camera_a: (N, 4) fx, fy, cx, cy of these images in pixels.
            camera_b: The same of the second images.
        """
        mixed = self.precision is not torch.float32 and self.training
        a, b = self.normalise(image_a), self.normalise(image_b)
        with torch.autocast(a.device.type, self.precision, enabled=mixed):
            return self.relate(a, b, camera_a, camera_b)

    def relate(self, a: Tensor, b: Tensor, camera_a: Tensor, camera_b: Tensor) -> RelativeOutput:
        """Return raw poses of normalised images."""
        raise NotImplementedError

    def normalise(self, images: Tensor) -> Tensor:
        """Return network inputs of RGB images."""
        if self.caffe_colours:
            means = torch.tensor([104.0, 117.0, 123.0], device=images.device)  # Caffe's, BGR
            inputs = images.float().flip(1) - means[:, None, None]
        else:
            inputs = self.contract.normalise(images)
        return inputs.contiguous(memory_format=torch.channels_last)

    def parameter_count(self) -> int:
        """Return how many parameters there are."""
        return sum(p.numel() for p in self.parameters())


class PoseHeads(nn.Module):
    """FC1 with 4 outputs and FC2 with 3, side by side on the same features."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.rotation = nn.Linear(features, 4)
        self.translation = nn.Linear(features, 3)
        with torch.no_grad():
            # no rotation to begin with: zero quaternions have no side of the sphere
            self.rotation.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, 7) of (N, features)."""
        return torch.cat([self.rotation(features), self.translation(features)], dim=1)


class PaperNet(RelativeNet):
    """cnnA, cnnB and their SPP variants: one trunk for both images, FC1 and FC2 on both features.

    Source: Melekhov et al. 2017, section 3.1 and Fig. 2.
    """

    def __init__(self, trunk: nn.Module, features: int, spp: tuple[int, ...], **shared: object):
        super().__init__(InputContract(227, 227), **shared)  # type: ignore[arg-type]
        self.trunk = trunk
        self.pyramid = SpatialPyramid(spp) if spp else nn.Flatten()
        self.heads = PoseHeads(2 * features)

    def relate(self, a: Tensor, b: Tensor, camera_a: Tensor, camera_b: Tensor) -> RelativeOutput:
        """Return raw poses of normalised images."""
        # one pass for both: twice the batch, the same weights
        features = self.pyramid(self.trunk(torch.cat([a, b])))
        first, second = features.float().chunk(2)
        with torch.autocast(a.device.type, enabled=False):
            return RelativeOutput(self.heads(torch.cat([first, second], dim=1)))


class MeNet(RelativeNet):
    """Nine convolutions on the two stacked images, two linear layers.

    Source: paper 000, section IV-A and Fig. 4.
    """

    def __init__(self, width: float, weights_from: str) -> None:
        super().__init__(InputContract(227, 227), weights_from)
        layers: list[nn.Module] = []
        before = 6
        for channels, kernel, stride in MENET_LAYERS:
            after = scaled_channels(channels, width)
            layers += [nn.Conv2d(before, after, kernel, stride, kernel // 2)]
            layers += [nn.ReLU(inplace=True)]
            before = after
        self.convolutions = nn.Sequential(*layers)
        # as it is at 227 pixels, where the map is 4 x 4; other sizes are brought to it
        self.grid = nn.AdaptiveAvgPool2d(_MENET_GRID)
        hidden = scaled_channels(_MENET_HIDDEN, width)
        self.hidden = nn.Linear(before * _MENET_GRID**2, hidden)
        self.pose = nn.Linear(hidden, 7)
        initialise(self)
        with torch.no_grad():
            self.pose.bias.copy_(torch.tensor([1.0, 0, 0, 0, 0, 0, 0]))

    def relate(self, a: Tensor, b: Tensor, camera_a: Tensor, camera_b: Tensor) -> RelativeOutput:
        """Return raw poses of normalised images."""
        maps = self.grid(self.convolutions(torch.cat([a, b], dim=1)))
        return RelativeOutput(self.pose(self.hidden(maps.flatten(1)).relu()).float())


class ConcatNet(RelativeNet):
    """Any backbone on both images, the two feature vectors side by side, one hidden layer."""

    def __init__(self, config: RelativeConfig, weights: str) -> None:
        width, height = config.crop_size(training=True)
        backbone = create_backbone(config.backbone, weights=weights, width=width, height=height)
        super().__init__(backbone.contract, backbone.weights_from)
        self.backbone = backbone
        self.hidden = nn.Linear(2 * backbone.features, 512)
        self.heads = PoseHeads(512)

    def relate(self, a: Tensor, b: Tensor, camera_a: Tensor, camera_b: Tensor) -> RelativeOutput:
        """Return raw poses of normalised images."""
        first, second = self.backbone(torch.cat([a, b])).float().chunk(2)
        with torch.autocast(a.device.type, enabled=False):
            hidden = self.hidden(torch.cat([first, second], dim=1)).relu()
            return RelativeOutput(self.heads(hidden))


def create_model(config: RelativeConfig, *, weights: str | None = None) -> RelativeNet:
    """Return the network of a configuration.

    Args:
        config: What to make.
        weights: Instead of the configuration's: ``none`` where a checkpoint is loaded next.

    Raises:
        WeightsError: The weights cannot be had, or do not fit.
        CatalogError: No such backbone.
    """
    # a checkpoint of torchvision's variant must be loaded into that variant
    variant = "torchvision" if config.weights == "imagenet" else "paper"
    weights = config.weights if weights is None else weights
    if config.model == "menet":
        if weights != "none":
            raise WeightsError(f"menet is trained from scratch; `--weights none`, not {weights}")
        return MeNet(config.width, "none: trained from scratch")
    if config.model == "siamese":
        if config.head == "concat":
            return ConcatNet(config, weights)
        from sightline.tasks.relative.correlation import CorrelationNet

        return CorrelationNet(config, weights)
    trunk = alexnet_trunk(
        width=config.width,
        groups=config.groups,
        last_pool=config.model.startswith("cnnA"),
        variant="torchvision" if variant == "torchvision" else "paper",
    )
    origin = load_trunk(trunk, config, weights)
    channels = scaled_channels(PAPER_CHANNELS[-1], config.width)
    spp = SPP_LEVELS.get(config.model, ())
    side = 6 if config.model == "cnnA" else 13
    cells = SpatialPyramid(spp).cells if spp else side * side
    return PaperNet(
        trunk,
        channels * cells,
        spp,
        weights_from=origin,
        caffe_colours=config.colours == "caffe",
    )


def alexnet_trunk(
    *,
    width: float = 1.0,
    groups: int = 1,
    last_pool: bool = True,
    variant: Literal["paper", "torchvision"] = "paper",
) -> nn.Sequential:
    """Return AlexNet's five convolutions with ReLU and pooling, numbered as torchvision does.

    ``paper`` is Sec. 3.1's: conv 96/11/4/0, 256/5/1/2, 384/3/1/1, 384/3/1/1, 256/3/1/1, each pool
    3/2. ``torchvision`` is the network torchvision has ImageNet weights of: 64, 192, 384, 256, 256
    channels, padding 2 at the first. Both give 6 x 6 (13 x 13 without the last pool) at 227.
    Neither has local response normalisation: the paper's list has none.
    """
    paper = variant == "paper"
    layers: list[nn.Module] = []
    before = 3
    sizes = zip(PAPER_CHANNELS if paper else TORCHVISION_CHANNELS, _KERNELS, strict=True)
    for index, (channels, (kernel, stride, padding)) in enumerate(sizes):
        after = scaled_channels(channels, width)
        pad = padding if index or paper else 2
        split = groups if index in _GROUPED else 1
        layers += [nn.Conv2d(before, after, kernel, stride, pad, groups=split)]
        layers += [nn.ReLU(inplace=True)]
        if index in _POOLED_AFTER:
            layers += [nn.MaxPool2d(3, 2)]
        before = after
    if last_pool:
        layers += [nn.MaxPool2d(3, 2)]
    trunk = nn.Sequential(*layers)
    trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    initialise(trunk)
    return trunk


def initialise(module: nn.Module) -> None:
    """Set weights so that ReLU layers neither shrink nor grow the signal (He et al. 2015)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def load_trunk(trunk: nn.Sequential, config: RelativeConfig, weights: str) -> str:
    """Put pretrained convolutions in the trunk and return where they came from.

    A file may name them ``conv1.weight`` (Caffe's AlexNet and Hybrid-CNN, converted) or
    ``features.0.weight`` (torchvision's); the fully-connected layers in it are left out, as the
    paper does. Anything else in it is refused.

    Raises:
        WeightsError: They cannot be had, or do not fit.
    """
    if weights == "none":
        return "none: trained from scratch"
    if weights == "imagenet":
        if config.width != 1 or config.groups != 1:
            raise WeightsError(
                "torchvision's AlexNet has width 1 and no groups; drop `--width` and `--groups`, "
                "or pass `--weights none`"
            )
        net = create_backbone("alexnet", weights="imagenet").net
        state = {k: v for k, v in net.state_dict().items() if k.startswith("features.")}
        origin = "torchvision's ImageNet weights, in torchvision's own AlexNet (64 to 256 channels)"
    else:
        state = read_state(Path(weights))
        origin = weights
    trunk.load_state_dict(_trunk_state(state, trunk, origin), strict=True)
    return origin


_FULLY_CONNECTED = re.compile(r"(fc|classifier|fc-?\d)[\w.-]*\.(weight|bias)")


def _trunk_state(state: dict[str, Tensor], trunk: nn.Sequential, origin: str) -> dict[str, Tensor]:
    """Return the convolutions of a file under the trunk's names, all there and of its shapes."""
    places = [i for i, layer in enumerate(trunk) if isinstance(layer, nn.Conv2d)]
    wanted = trunk.state_dict()
    found: dict[str, Tensor] = {}
    unknown = []
    for key, value in state.items():
        name = key.removeprefix("module.").removeprefix("features.module.")
        conv = re.fullmatch(r"conv([1-5])\.(weight|bias)", name)
        numbered = re.fullmatch(r"(?:features\.)?(\d+)\.(weight|bias)", name)
        if conv:
            found[f"{places[int(conv[1]) - 1]}.{conv[2]}"] = value
        elif numbered and int(numbered[1]) in places:
            found[f"{numbered[1]}.{numbered[2]}"] = value
        elif not _FULLY_CONNECTED.fullmatch(name):
            unknown.append(key)
    missing = [key for key in wanted if key not in found]
    if missing or unknown:
        odd = f"it has no {missing[0]}" if missing else f"it has {unknown[0]}"
        raise WeightsError(
            f"{origin}: AlexNet's convolutions are wanted, named conv1.weight or features.0.weight "
            f"and so on; {odd}"
        )
    for key, value in wanted.items():
        if found[key].shape != value.shape:
            hint = "; pass `--groups 2`" if found[key].shape[1:2] < value.shape[1:2] else ""
            raise WeightsError(
                f"{origin}: {key} of shape {tuple(value.shape)} is wanted, "
                f"{tuple(found[key].shape)} came{hint}"
            )
    return found


def layer_sizes(trunk: nn.Sequential, side: int) -> list[tuple[str, int, int]]:
    """Return each layer's name, its channels and the side of its square map, for a table."""
    rows = []
    maps = torch.zeros(1, 3, side, side)
    with torch.no_grad():
        for layer, following in itertools.zip_longest(trunk, list(trunk)[1:]):
            maps = layer(maps)
            if not isinstance(following, nn.ReLU):
                kind = "pool" if isinstance(layer, nn.MaxPool2d) else "conv"
                rows.append((kind, maps.shape[1], maps.shape[2]))
    return rows
