"""The network: an image to points of the place, one a cell."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor, nn

from sightline.errors import TrainingError
from sightline.geometry.rotation import Array
from sightline.learning.backbones import InputContract, conv_block
from sightline.tasks.absolute.config import CELL_PX, AbsoluteConfig

#: Of the features that a cell's answer is made of.
_WIDTH = 256

#: Points that regions are made of; more only take longer.
_LARGEST_SAMPLE = 10_000

#: The likeliest hypotheses of a cell, among which the best supported is looked for.
_ASKED = 8


class SceneNet(nn.Module):
    """Images to hypotheses: for each cell and region of the place, how likely and where in it.

    A cell sees its own patch at stride 8, its surroundings at strides 16 and 32, and the layout of
    the whole image: buildings repeat their doors, and only what stands around tells which it is.
    Choosing a region first, and then saying where in it, keeps two doors that look alike from being
    averaged into a point between them (Li et al. 2020, HSCNet).

    The regions are buffers, stored with the weights.
    """

    centres: Tensor
    spread: Tensor
    place_in_image: Tensor

    def __init__(self, regions: int, width: int, height: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.contract = InputContract(width, height)
        self.cells = (height // CELL_PX, width // CELL_PX)
        self.patch = nn.Sequential(
            conv_block(3, 32, kernel=5, stride=2),
            conv_block(32, 64, stride=2),
            conv_block(64, 128, stride=2),
        )
        self.around = conv_block(128, 192, stride=2)
        self.wide = conv_block(192, 256, stride=2)
        grid = (4, 3) if height > width else (3, 4)
        self.layout = nn.Sequential(
            conv_block(256, 64, kernel=1, stride=1),
            nn.AdaptiveAvgPool2d(grid),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(64 * grid[0] * grid[1], _WIDTH),
        )
        self.from_patch = nn.Conv2d(128 + 2, _WIDTH, 1)
        self.from_around = nn.Conv2d(192, _WIDTH, 1)
        self.from_wide = nn.Conv2d(256, _WIDTH, 1)
        self.head = nn.Sequential(
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(inplace=True),
            conv_block(_WIDTH, _WIDTH, kernel=1, stride=1),
            nn.Conv2d(_WIDTH, 4 * regions, 1),
        )
        self.register_buffer("centres", torch.zeros(regions, 3))
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("place_in_image", _cell_grid(*self.cells), persistent=False)
        self._initialise()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the hypotheses of (N, 3, H, W) normalised images.

        Returns:
            Logits (N, h, w, K) of the regions, and (N, h, w, K, 3) a point in each, in the world.
        """
        patch = self.patch(images.contiguous(memory_format=torch.channels_last))
        around = self.around(patch)
        wide = self.wide(around)
        position = self.place_in_image.expand(len(images), -1, -1, -1)
        joined = self.from_around(around) + _resized(self.from_wide(wide), around)
        joined = self.from_patch(torch.cat([patch, position], dim=1)) + _resized(joined, patch)
        raw = self.head(joined + self.layout(wide)[:, :, None, None])
        raw = raw.permute(0, 2, 3, 1).unflatten(-1, (-1, 4))
        return raw[..., 0], self.centres + self.spread * raw[..., 1:]

    def decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, h, w, 3) a point a cell, and (N, h, w) how likely it is.

        Hypotheses of neighbouring regions that agree count together: the answer is the mean of
        those around the hypothesis that most agree with.
        """
        logits, points = self(images)
        likely = logits.softmax(dim=-1)
        asked = likely.topk(min(_ASKED, likely.shape[-1]), dim=-1).indices
        around = points.gather(3, asked[..., None].expand(*asked.shape, 3))
        exact = "donot_use_mm_for_euclid_dist"
        near = torch.cdist(around, points, compute_mode=exact) < self.spread
        most = (near * likely[..., None, :]).sum(dim=-1).argmax(dim=-1)
        chosen = most[..., None, None].expand(*most.shape, 1, near.shape[-1])
        agreeing = near.gather(3, chosen).squeeze(3) * likely
        total = agreeing.sum(dim=-1)
        mean = (agreeing[..., None] * points).sum(dim=-2) / total[..., None]
        return mean, total

    def set_regions(self, points: Array, seed: int) -> None:
        """Divide the place into regions by k-means.

        Args:
            points: (M, 3) points of the place, as dense as the frames see them.
            seed: Of the start and of the sample.

        Raises:
            TrainingError: There are too few points.
        """
        from scipy.cluster.vq import kmeans2

        count = len(self.centres)
        if len(points) < 4 * count:
            raise TrainingError(
                f"at least {4 * count} cells with a known depth are wanted for {count} regions, "
                f"{len(points)} came; the map has too few points: lower --regions, or record more"
            )
        rng = np.random.default_rng(seed)
        if len(points) > _LARGEST_SAMPLE:
            points = points[np.sort(rng.choice(len(points), _LARGEST_SAMPLE, replace=False))]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="One of the clusters is empty")  # harmless
            centres, nearest = kmeans2(points, count, iter=20, minit="++", rng=rng)
        distance = np.linalg.norm(points - centres[nearest], axis=1)
        self.centres.copy_(torch.from_numpy(centres))
        self.spread.fill_(max(float(np.median(distance)), 1e-9))

    def trainable_parameters(self) -> int:
        """Return how many parameters there are; all are trained."""
        return sum(p.numel() for p in self.parameters())

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        # every cell starts at its regions' centres, none of them likelier
        last = self.head[-1]
        nn.init.normal_(last.weight, std=1e-3)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]


def create_network(config: AbsoluteConfig) -> SceneNet:
    """Return the network of a configuration, its regions not set yet."""
    return SceneNet(config.regions, config.width, config.height, config.dropout)


def _cell_grid(rows: int, columns: int) -> Tensor:
    """Return (1, 2, h, w): where each cell lies in the image, from -1 to 1."""
    v = (torch.arange(rows) + 0.5) / rows * 2 - 1
    u = (torch.arange(columns) + 0.5) / columns * 2 - 1
    return torch.stack(torch.meshgrid(v, u, indexing="ij"))[None]


def _resized(features: Tensor, like: Tensor) -> Tensor:
    return nn.functional.interpolate(features, like.shape[2:], mode="bilinear", align_corners=False)
