"""K pose networks side by side: small fully-connected networks, one a category, as one product.

Each is d-1000-500-3 with batch norm and ReLU between (Fig. 3b). All samples go through all of
them, because K batched matrix products cost next to nothing beside a ResNet, and a loop of K small
modules does not.

Batch norm is each network's own. In a balanced batch of 48 a category has four samples: too few
for their mean and variance, and the other categories' samples are of no concern to this network
(with the oracle of Fig. 4 it never sees them). So a network's statistics are of its own category's
samples alone, in every step of training, whichever samples flow through it, and reach back over
the last batches where there are few (batch renormalisation, Ioffe 2017, without its limits): what
is normalised with in training and what is kept for prediction are then estimates of the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: So many samples' worth of the last batches' statistics stand beside the present batch's: with 4
#: samples a batch they are as good as those of 28, with 48 nearly plain batch norm.
_RECENT = 12.0
#: Share of the kept statistics that stays when one more sample comes (of about 400 samples).
_KEEP = 0.995
_EPSILON = 1e-5


class GroupedLinear(nn.Module):
    """K linear layers: (K or 1, N, in) to (K, N, out)."""

    def __init__(self, count: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(count * outputs))  # flat: biases do not decay
        nn.init.normal_(self.weight, std=(2.0 / inputs) ** 0.5)  # He et al. 2015

    def forward(self, x: Tensor) -> Tensor:
        """Return (K, N, out)."""
        count, _, outputs = self.weight.shape
        bias = self.bias.view(count, 1, outputs)
        return torch.baddbmm(bias, x.expand(count, -1, -1), self.weight)


class OwnBatchNorm(nn.Module):
    """K batch norms, each with the statistics of its own samples (see the module's text)."""

    running_mean: Tensor
    running_var: Tensor
    recent_mean: Tensor
    recent_var: Tensor

    def __init__(self, count: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(count * features))
        self.bias = nn.Parameter(torch.zeros(count * features))
        for name in ("running", "recent"):
            self.register_buffer(f"{name}_mean", torch.zeros(count, 1, features))
            self.register_buffer(f"{name}_var", torch.ones(count, 1, features))

    def forward(self, x: Tensor, own: Tensor | None) -> Tensor:
        """Return (K, N, features), normalised.

        Args:
            x: (K, N, features).
            own: (K, N, 1) 1 where a sample is of a network's own, else 0; None: all are.
        """
        if self.training:
            mean, var = self._statistics(x, own)
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight.view_as(mean) * (var + _EPSILON).rsqrt()
        return x * scale + (self.bias.view_as(mean) - mean * scale)

    def _statistics(self, x: Tensor, own: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the mean and variance to normalise with, and remember them."""
        if own is None:
            own = x.new_ones(x.shape[0], x.shape[1], 1)
        number = own.sum(dim=1, keepdim=True)
        share = own / number.clamp(min=1.0)
        mean = share.mT @ x
        var = share.mT @ (x - mean).square()
        used = _mixed(self.recent_mean, self.recent_var, mean, var, number / (number + _RECENT))
        with torch.no_grad():
            kept = _mixed(self.running_mean, self.running_var, mean, var, 1.0 - _KEEP**number)
            for buffer, value in zip(self.buffers(), (*kept, *used), strict=True):
                buffer.copy_(value)  # in place: the averaged weights follow this tensor
        return used


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
            spread: Standard deviation about it, to begin with.
        """
        super().__init__()
        self.count = count
        first, second = sizes
        self.fc1 = GroupedLinear(count, features, first)
        self.bn1 = OwnBatchNorm(count, first)
        self.fc2 = GroupedLinear(count, first, second)
        self.bn2 = OwnBatchNorm(count, second)
        self.fc3 = GroupedLinear(count, second, len(start))
        with torch.no_grad():
            self.fc3.weight.mul_(spread)
            self.fc3.bias.copy_(start.repeat(count))

    def forward(self, features: Tensor, category: Tensor | None = None) -> Tensor:
        """Return (N, K, size) raw outputs.

        Args:
            features: (N, d).
            category: (N,) true categories, which networks of their own need in training.
        """
        own = None
        if category is not None and self.count > 1 and self.training:
            kinds = torch.arange(self.count, device=category.device)
            own = (category == kinds[:, None])[..., None].to(features.dtype)
        x = self.bn1(self.fc1(features[None]), own).relu()
        x = self.bn2(self.fc2(x), own).relu()
        raw: Tensor = self.fc3(x)
        return raw.transpose(0, 1)


def _mixed(
    old_mean: Tensor, old_var: Tensor, mean: Tensor, var: Tensor, share: Tensor
) -> tuple[Tensor, Tensor]:
    """Return mean and variance of a mixture of old samples and new ones."""
    apart = (mean - old_mean).square() * (share * (1.0 - share))
    return old_mean.lerp(mean, share), old_var.lerp(var, share) + apart
