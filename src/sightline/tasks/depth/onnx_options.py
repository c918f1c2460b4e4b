"""What ``sightline export depth`` can be told; imports without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OnnxOptions:
    """A depth network as an ONNX file, for onnxruntime and the browser."""

    weights: str = ""
    """A run folder, or a hub name or local folder of Depth Anything; the package's own network
    where empty."""
    width: int = 0
    """Width of the input in pixels; 0 = the network's own."""
    height: int = 0
    """Height of the input in pixels; 0 = the network's own."""
    dynamic: bool = False
    """Let the input have any size (networks of the architecture small)."""
