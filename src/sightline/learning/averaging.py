"""The exponential moving average of the weights that training changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

#: Steps between updates; the decay is raised to this power, so that the average is as long.
_EVERY = 4


class AveragedWeights:
    """Averaged copies of a model's trainable parameters and of its live buffers.

    Frozen parts are left out: they never change, and copying them costs.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start from the model's present weights.

        Args:
            model: In training mode, so that frozen modules are told by their eval mode.
            decay: How much of the average stays at each update; 0 follows the weights.
        """
        self._decay = decay
        self._updates = 0
        self._live = _changing(model)
        self._average = {name: value.clone() for name, value in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take one more step's weights into the average."""
        self._updates += 1
        if self._updates % _EVERY and self._decay > 0:
            return
        # the first weights are far from the last, so the average is short at first
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates)) ** _EVERY
        if self._decay == 0:
            decay = 0.0
        for name, average in self._average.items():
            if average.is_floating_point() and decay > 0:
                average.lerp_(self._live[name], 1.0 - decay)
            else:
                average.copy_(self._live[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the averaged weights in the model for the length of the block."""
        kept = {name: value.clone() for name, value in self._live.items()}
        self.write(self._average)
        try:
            yield
        finally:
            self.write(kept)

    def copy(self) -> dict[str, Tensor]:
        """Return a copy of the averages by name (a copy, not a reference: PITFALLS 9)."""
        return {
            n: v.detach().cpu().clone(memory_format=torch.contiguous_format)
            for n, v in self._average.items()
        }

    def rebind(self, model: nn.Module) -> None:
        """Follow the model's tensors to where they are now (another device)."""
        now = dict(model.named_parameters()) | dict(model.named_buffers())
        self._live = {name: now[name].data for name in self._live}

    @torch.no_grad()
    def write(self, weights: dict[str, Tensor]) -> None:
        """Put weights in the model; the names must be exactly those averaged."""
        if set(weights) != set(self._live):
            odd = sorted(set(weights) ^ set(self._live))
            raise KeyError(f"other weights than the model's came, such as {odd[0]}")
        for name, value in weights.items():
            self._live[name].copy_(value)

    def state(self) -> dict[str, Tensor | int]:
        """Return what :meth:`load` takes, for a checkpoint."""
        return {"updates": self._updates, **self.copy()}

    def load(self, state: dict[str, Tensor | int]) -> None:
        """Go on from a checkpoint."""
        state = dict(state)
        self._updates = int(state.pop("updates"))
        for name, average in self._average.items():
            average.copy_(torch.as_tensor(state[name]))


def _changing(model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors that training changes: trainable parameters, buffers not in eval mode."""
    live = {name: p.data for name, p in model.named_parameters() if p.requires_grad}
    for prefix, module in model.named_modules():
        if module.training:
            live |= dict(module.named_buffers(prefix, recurse=False))
    return live
