"""A DINOv2 encoder and a DPT decoder, as Depth Anything V2 has them, of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import CatalogError
from sightline.learning.backbones import InputContract, load_strictly
from sightline.tasks.depth.hub import load_from_hub, transformers
from sightline.tasks.depth.network import DepthNet

#: Side of a patch in pixels: DINOv2's.
PATCH = 14

#: Side of the images that DINOv2's table of positions was made for.
_POSITIONS_PX = 518


@dataclass(frozen=True)
class DptSize:
    """Dimensions of one size.

    Attributes:
        hidden: Length of a token.
        layers: Of the encoder.
        heads: Of its attention.
        taken: Layers that the decoder reads, counted from 1.
        neck: Channels of the four maps that the decoder makes of them.
        fusion: Channels of the decoder.
        swiglu: Whether the encoder's feed-forward layers are gated.
    """

    hidden: int
    layers: int
    heads: int
    taken: tuple[int, int, int, int]
    neck: tuple[int, int, int, int]
    fusion: int
    swiglu: bool = False


#: Depth Anything V2's published sizes (Yang et al. 2024), and a small one of ours (ViT-Ti).
SIZES = {
    "tiny": DptSize(192, 12, 3, (3, 6, 9, 12), (24, 48, 96, 192), 32),
    "vits": DptSize(384, 12, 6, (3, 6, 9, 12), (48, 96, 192, 384), 64),
    "vitb": DptSize(768, 12, 12, (3, 6, 9, 12), (96, 192, 384, 768), 128),
    "vitl": DptSize(1024, 24, 16, (5, 12, 18, 24), (256, 512, 1024, 1024), 256),
    "vitg": DptSize(1536, 40, 24, (10, 20, 30, 40), (1536, 1536, 1536, 1536), 384, swiglu=True),
}


class DptNet(DepthNet):
    """Depth Anything's network, its last activation ours (see :class:`.network.DepthNet`).

    Args:
        size: A name of :data:`SIZES`.
        contract: What the images must be.
        max_depth_m: None for disparity.
        weights: ``none``, or a hub name or local folder of DINOv2 of this size.

    Raises:
        CatalogError: No such size.
        WeightsError: The weights cannot be had, or do not fit.
    """

    def __init__(
        self, size: str, contract: InputContract, max_depth_m: float | None, weights: str
    ) -> None:
        if size not in SIZES:
            raise CatalogError(
                f"an encoder of {', '.join(SIZES)} is wanted of the architecture dpt, {size!r} came"
            )
        hidden = SIZES[size].hidden
        super().__init__(contract, multiple=PATCH, feature_channels=hidden, max_depth_m=max_depth_m)
        net = transformers().DepthAnythingForDepthEstimation(dpt_config(SIZES[size]))
        net.head.activation2 = nn.Identity()
        _start_decoder(net)
        self.net = net
        if weights != "none":
            encoder = load_from_hub("Dinov2Model", weights, "an encoder of DINOv2")
            self.weights_from = load_strictly(
                net.backbone, f"the encoder {size}", encoder.state_dict(), weights
            )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def decode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the decoder's finest map, and the encoder's last."""
        net: Any = self.net
        rows, columns = images.shape[-2] // PATCH, images.shape[-1] // PATCH
        tokens = net.backbone(images).feature_maps
        decoded: Tensor = net.neck(tokens, rows, columns)[net.head.head_in_index]
        features = tokens[-1][:, 1:].transpose(1, 2).reshape(len(images), -1, rows, columns)
        return decoded, features

    def nearness(self, decoded: Tensor, size: tuple[int, int]) -> Tensor:
        """Return (N, H, W) numbers that grow towards the camera."""
        head: Any = self.net.head
        out: Tensor = head([decoded], size[0] // PATCH, size[1] // PATCH)
        return out


def _start_decoder(net: Any) -> None:
    """Give the decoder torch's first weights: transformers' answer the same for every pixel."""
    for part in (net.neck, net.head):
        for module in part.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.reset_parameters()


def dpt_config(size: DptSize) -> Any:
    """Return transformers' configuration of a relative network of a size."""
    library = transformers()
    encoder = library.Dinov2Config(
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        use_swiglu_ffn=size.swiglu,
        image_size=_POSITIONS_PX,
        patch_size=PATCH,
        out_indices=list(size.taken),
        reshape_hidden_states=False,
    )
    return library.DepthAnythingConfig(
        backbone_config=encoder,
        patch_size=PATCH,
        reassemble_hidden_size=size.hidden,
        neck_hidden_sizes=list(size.neck),
        fusion_hidden_size=size.fusion,
    )
