"""The Siamese network that matches: every cell of one image against every cell of the other.

Beyond the papers. FC layers on two concatenated feature vectors are a sum of a function of the
first image and one of the second, so they cannot compare images of places they have not seen.
Here the comparison is built in; what follows it sees only geometry (where cells are matched, as
rays of calibrated cameras, and how surely), which is the same in every place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import CatalogError
from sightline.learning.backbones import COMPACT, InputContract, create_backbone
from sightline.tasks.relative.config import RelativeConfig
from sightline.tasks.relative.epipolar import RayMatches, evidence, polish
from sightline.tasks.relative.model import (
    Matches,
    PoseHeads,
    RelativeNet,
    RelativeOutput,
    initialise,
)

_DESCRIPTOR = 64
_GRID = (4, 5)


class CorrelationNet(RelativeNet):
    """Feature maps of both images, their correlation, and a head on the matches."""

    def __init__(self, config: RelativeConfig, weights: str) -> None:
        width, height = config.crop_size(training=True)
        if config.backbone == COMPACT:
            if weights != "none":
                create_backbone(COMPACT, weights=weights)  # says that there are none
            maps: nn.Module = CompactMaps(config.stride)
            origin, contract = "none: trained from scratch", InputContract(width, height)
            channels = CompactMaps.channels
        else:
            backbone = create_backbone(config.backbone, weights=weights, width=width, height=height)
            maps, channels = cut_at_stride(backbone.net, config.stride, config.backbone)
            origin, contract = backbone.weights_from, backbone.contract
        super().__init__(contract, origin)
        self.maps = maps.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.descriptor = nn.Conv2d(channels, _DESCRIPTOR, 1)
        self.log_scale = nn.Parameter(torch.tensor(2.5))
        self.head = MatchHead()
        self.steps = config.polish

    def relate(self, a: Tensor, b: Tensor, camera_a: Tensor, camera_b: Tensor) -> RelativeOutput:
        """Return raw poses of normalised images, and the matches."""
        described = self.descriptor(self.maps(torch.cat([a, b]))).float()
        with torch.autocast(a.device.type, enabled=False):
            first, second = nn.functional.normalize(described, dim=1).chunk(2)
            grid = first.shape[-2:]
            rays_a = cell_rays(camera_a, grid, a.shape[-2:])
            rays_b = cell_rays(camera_b, grid, b.shape[-2:])
            scores = first.flatten(2).transpose(1, 2) @ second.flatten(2)
            scores = scores * self.log_scale.clamp(max=4.6).exp()
            cells = (int(grid[0]), int(grid[1]))
            found = Matches(scores.softmax(dim=2), scores.softmax(dim=1), rays_a, rays_b, cells)
            coarse, rays = self.head(found, grid)
            if self.steps == 0:
                return RelativeOutput(coarse, found)
            start = coarse.detach()
            fine = polish(
                rays,
                nn.functional.normalize(start[:, :4], dim=1),
                nn.functional.normalize(start[:, 4:], dim=1),
                self.steps,
            )
            return RelativeOutput(fine, found, coarse, evidence(rays, fine.detach(), start))


class MatchHead(nn.Module):
    """Matches to poses: a small convolutional network over the cells of either image."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = _block(_CELL_NUMBERS, 64, stride=1)
        self.trust = nn.Conv2d(64, 1, 1)
        self.body = nn.Sequential(
            _block(64, 96, stride=2),
            _block(96, 128, stride=1),
            _block(128, 96, stride=1),
            nn.AdaptiveAvgPool2d(_GRID),
            nn.Flatten(),
        )
        initialise(self)
        self.hidden = nn.Sequential(
            nn.Linear(2 * 96 * _GRID[0] * _GRID[1], 256), nn.ReLU(inplace=True)
        )
        self.pose = PoseHeads(256)

    def forward(self, matches: Matches, grid: torch.Size) -> tuple[Tensor, RayMatches]:
        """Return (N, 7) raw poses, and the matches as rays with how far each is trusted."""
        there, back = matches.b_of_a, matches.a_of_b
        a, b = matches.rays_a, matches.rays_b
        forward = describe(there, back, a, b, grid)
        backward = describe(back.transpose(1, 2), there.transpose(1, 2), b, a, grid)
        numbers = torch.cat([forward, backward]).transpose(1, 2)
        cells = self.cells(numbers.reshape(*numbers.shape[:2], *grid))
        first, second = self.body(cells).chunk(2)
        pose: Tensor = self.pose(self.hidden(torch.cat([first, second], dim=1)))
        trust_a, trust_b = self.trust(cells).flatten(1).sigmoid().chunk(2)
        rays = RayMatches(
            _homogeneous(torch.cat([a, backward[..., 2:4]], dim=1)),
            _homogeneous(torch.cat([forward[..., 2:4], b], dim=1)),
            torch.cat([forward[..., _SURE] * trust_a, backward[..., _SURE] * trust_b], dim=1),
        )
        return pose, rays


_CELL_NUMBERS = 13
_SURE = 7


def describe(
    there: Tensor, back: Tensor, rays: Tensor, other_rays: Tensor, grid: torch.Size
) -> Tensor:
    """Return (N, cells, 13) numbers of each cell's match.

    Where it is and where it is matched to (rays on the plane z = 1), the difference, how spread the
    places are, how sure the match is (that it leads there and back), and the positions and the
    difference again, weighted by that.

    Args:
        there: (N, A, B) probabilities of a match of each cell, sums to 1 over B.
        back: (N, A, B) the same of the other image's cells, sums to 1 over A.
        rays: (N, A, 2).
        other_rays: (N, B, 2).
        grid: Rows and columns of the other image's cells.
    """
    landed = around_the_peak(there, grid) @ other_rays
    centre = there @ other_rays
    squared = there @ other_rays.square().sum(dim=-1, keepdim=True)
    spread = (squared - centre.square().sum(dim=-1, keepdim=True)).clamp(min=1e-6).sqrt()
    mutual = (there * back).sum(dim=-1, keepdim=True)
    sure = mutual.clamp(min=1e-8).sqrt()
    moved = landed - rays
    weighted = torch.cat([rays, landed, moved[..., :1]], dim=-1) * sure
    return torch.cat([rays, landed, moved, spread, sure, weighted], dim=-1)


def around_the_peak(probability: Tensor, grid: torch.Size) -> Tensor:
    """Return (N, A, B) probabilities of the likeliest cell and its eight neighbours, sum 1.

    A mean over all cells would pull every uncertain match to the middle of the image.
    """
    cells = torch.arange(probability.shape[2], device=probability.device)
    columns = int(grid[1])
    peak = probability.argmax(dim=2, keepdim=True)
    near_y = (cells // columns - peak // columns).abs() <= 1
    near_x = (cells % columns - peak % columns).abs() <= 1
    near = probability * (near_y & near_x)
    return near / near.sum(dim=2, keepdim=True).clamp(min=1e-9)


def _homogeneous(rays: Tensor) -> Tensor:
    return torch.cat([rays, torch.ones_like(rays[..., :1])], dim=-1)


def cell_rays(camera: Tensor, grid: torch.Size, image: torch.Size) -> Tensor:
    """Return (N, cells, 2) rays on the plane z = 1 through the centres of a grid of cells.

    Args:
        camera: (N, 4) fx, fy, cx, cy in pixels of the image, (0, 0) the first pixel's centre.
        grid: Rows and columns of cells.
        image: Height and width in pixels.
    """
    rows, columns = (int(n) for n in grid)
    height, width = (int(n) for n in image)
    device = camera.device
    y = (torch.arange(rows, device=device) + 0.5) * (height / rows) - 0.5
    x = (torch.arange(columns, device=device) + 0.5) * (width / columns) - 0.5
    pixels = torch.stack(
        [x[None, :].expand(rows, columns), y[:, None].expand(rows, columns)], dim=-1
    ).reshape(1, -1, 2)
    return (pixels - camera[:, None, 2:]) / camera[:, None, :2]


class CompactMaps(nn.Module):
    """A small convolutional network whose maps keep one cell every ``stride`` pixels."""

    channels = 96

    def __init__(self, stride: int) -> None:
        super().__init__()
        second, third = {4: (1, 1), 8: (2, 1), 16: (2, 2)}[stride]
        self.body = nn.Sequential(
            _block(3, 32, stride=2, kernel=5),
            _block(32, 64, stride=2),
            _block(64, 80, stride=second),
            _block(80, 96, stride=third),
            _block(96, self.channels, stride=1),
        )
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, channels, H / stride, W / stride)."""
        maps: Tensor = self.body(images)
        return maps


def cut_at_stride(net: nn.Module, stride: int, name: str) -> tuple[nn.Module, int]:
    """Return a torchvision network up to its last map of a stride, and that map's channels.

    Raises:
        CatalogError: The network has no such map.
    """
    from torchvision.models.feature_extraction import create_feature_extractor

    side = 224
    shapes: list[tuple[str, int]] = []

    def note(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, out: Any) -> None:
            if isinstance(out, Tensor) and out.ndim == 4 and out.shape[-1] == side // stride:
                shapes.append((path, int(out.shape[1])))

        return hook

    hooks = [
        module.register_forward_hook(note(path)) for path, module in net.named_modules() if path
    ]
    was_training = net.training
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, side, side))
    net.train(was_training)
    for hook in hooks:
        hook.remove()
    if not shapes:
        raise CatalogError(
            f"{name} has no feature map of one cell every {stride} pixels; choose another "
            "`--stride` or `--backbone`, or `--head concat`"
        )
    path, channels = shapes[-1]
    extractor = create_feature_extractor(net, {path: "map"})
    return _OneMap(extractor), channels


class _OneMap(nn.Module):
    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.extractor(images)["map"]
        return out


def _block(channels_in: int, channels_out: int, *, stride: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )
