"""K pose networks side by side: small fully-connected networks, one a category, as one product.

Each is d-1000-500-3 with batch norm and ReLU between (Fig. 3b). All samples go through all of
them, because K batched matrix products cost next to nothing beside a ResNet, and a loop of K small
modules does not. With the oracle of Fig. 4 the loss looks at one network's answer a sample, so
that a network's weights learn from its own category's samples alone.

Batch norm's statistics are of all samples in the batch, in every step. Those of the own category
alone would be four samples of a balanced batch of 48: in a trial (12 categories of synthetic
features, 1500 steps) this cost a median error of 10.8 degrees instead of 4.2 with axis-angle
vectors, 6.0 at best with statistics that reach back over the last batches. So prediction, too,
takes batches as mixed as training's for granted: the kept statistics are of all categories.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GroupedLinear(nn.Module):
    """K linear layers: (N, K, in) to (N, K, out)."""

    def __init__(self, count: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(count * outputs))  # flat: biases do not decay
        nn.init.normal_(self.weight, std=(2.0 / inputs) ** 0.5)  # He et al. 2015

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, K, out)."""
        count, _, outputs = self.weight.shape
        bias = self.bias.view(count, 1, outputs)
        return torch.baddbmm(bias, x.transpose(0, 1), self.weight).transpose(0, 1)


class PoseNetworks(nn.Module):
    """K networks d-a-b-size on the same features.

    Source: Mahendran et al. 2018, Sec. 3.1 and Fig. 3.
    """

    def __init__(
        self, count: int, features: int, sizes: tuple[int, int], start: Tensor, spread: float
    ) -> None:
        """Make new networks.

        Args:
            count: K, or 1 for one network of all categories.
            features: d.
            sizes: a, b.
            start: (size,) what they say to begin with.
            spread: How far from it they begin, over He's standard deviation.
        """
        super().__init__()
        self.count = count
        first, second = sizes
        self.fc1 = nn.Linear(features, count * first)  # all read the same: one product
        self.bn1 = nn.BatchNorm1d(count * first)
        self.fc2 = GroupedLinear(count, first, second)
        self.bn2 = nn.BatchNorm1d(count * second)
        self.fc3 = GroupedLinear(count, second, len(start))
        nn.init.kaiming_normal_(self.fc1.weight, nonlinearity="relu")
        nn.init.zeros_(self.fc1.bias)
        with torch.no_grad():
            self.fc3.weight.mul_(spread)
            self.fc3.bias.copy_(start.repeat(count))

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, K, size) raw outputs of (N, d)."""
        shape = (len(features), self.count, -1)
        x = self.bn1(self.fc1(features)).relu().view(shape)
        x = self.bn2(self.fc2(x).flatten(1)).relu().view(shape)
        raw: Tensor = self.fc3(x)
        return raw
