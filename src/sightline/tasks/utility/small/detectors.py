"""torchvision's one-stage detectors round small backbones, for frames of 128 pixels and less."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sightline.learning.backbones import IMAGENET_MEAN, IMAGENET_STD
from sightline.learning.resnet import STAGES, create_resnet
from sightline.learning.torchvision_compat import import_torchvision

#: Sides of anchors over the frame's side, for strides of 8 and 16 pixels.
_ANCHORS = ((0.2, 0.32), (0.5, 0.8))
_ASPECTS = (0.5, 1.0, 2.0)
_CHANNELS = 64

#: Boxes with a lower score are not given; what labels need is 0.5, what mAP needs is some below.
_LOWEST_SCORE = 0.05
_OVERLAP = 0.5
_MOST_BOXES = 20


class SmallPyramid(nn.Module):
    """A backbone's maps at strides of 8 and 16 pixels; it may run in fewer bits than its heads.

    Attributes:
        out_channels: Of all maps, or a list of each one's where they differ.
        precision: Arithmetic of the forward pass; maps come back in float32.
    """

    def __init__(
        self, stem: nn.Module, deeper: nn.Module, channels: tuple[int, int], *, merge: bool
    ) -> None:
        """Take a backbone in two parts.

        Args:
            stem: From frames to the map at stride 8.
            deeper: From there to the map at stride 16.
            channels: Of the two maps.
            merge: Add the deeper map to the other as a feature pyramid does (Lin et al. 2017).
        """
        super().__init__()
        self.stem, self.deeper = stem, deeper
        self.precision = torch.float32
        self.merge: nn.Module | None = None
        self.out_channels: int | list[int] = list(channels)
        if merge:
            ops: Any = import_torchvision().ops
            self.merge = ops.FeaturePyramidNetwork(list(channels), _CHANNELS)
            self.out_channels = _CHANNELS

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        """Return the two maps of (N, 3, S, S) normalised frames."""
        bits = self.precision
        with torch.autocast(frames.device.type, bits, enabled=bits != torch.float32):
            frames = frames.contiguous(memory_format=torch.channels_last)
            near = self.stem(frames)
            maps = OrderedDict([("0", near), ("1", self.deeper(near))])
            if self.merge is not None:
                maps = self.merge(maps)
        return {name: value.float() for name, value in maps.items()}


def fcos(categories: int, frame_px: int) -> nn.Module:
    """Return FCOS on a narrow ResNet-18 (Tian et al. 2019)."""
    detection: Any = import_torchvision().models.detection
    made: nn.Module = detection.FCOS(
        _resnet_pyramid(),
        categories,
        anchor_generator=_generator(((frame_px / 12,), (frame_px / 6,)), (1.0,)),
        head=detection.fcos.FCOSHead(_CHANNELS, 1, categories, num_convs=2),
        score_thresh=_LOWEST_SCORE,
        nms_thresh=_OVERLAP,
        detections_per_img=_MOST_BOXES,
        topk_candidates=100,
        **_frames(frame_px),
    )
    return made


def retinanet(categories: int, frame_px: int) -> nn.Module:
    """Return RetinaNet on plain convolutions (Lin et al. 2017)."""
    detection: Any = import_torchvision().models.detection
    sides = tuple(tuple(share * frame_px for share in level) for level in _ANCHORS)
    generator = _generator(sides, _ASPECTS)
    made: nn.Module = detection.RetinaNet(
        _plain_pyramid(merge=True),
        categories,
        anchor_generator=generator,
        score_thresh=_LOWEST_SCORE,
        nms_thresh=_OVERLAP,
        detections_per_img=_MOST_BOXES,
        topk_candidates=100,
        **_frames(frame_px),
    )
    return made


def ssd(categories: int, frame_px: int) -> nn.Module:
    """Return SSD on plain convolutions (Liu et al. 2016)."""
    pyramid = _plain_pyramid(merge=False)
    detection: Any = import_torchvision().models.detection
    return _ssd(pyramid, detection.ssd.SSDHead, categories, frame_px)


def ssdlite(categories: int, frame_px: int) -> nn.Module:
    """Return SSDLite on MobileNetV3-small (Sandler et al. 2018)."""
    detection: Any = import_torchvision().models.detection
    norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.03)
    head = partial(detection.ssdlite.SSDLiteHead, norm_layer=norm)
    return _ssd(_mobilenet_pyramid(), head, categories, frame_px)


def _ssd(pyramid: SmallPyramid, head: Any, categories: int, frame_px: int) -> nn.Module:
    detection: Any = import_torchvision().models.detection
    boxes = detection.anchor_utils.DefaultBoxGenerator(
        [[2], [2]], scales=[0.25, 0.5, 0.8], steps=[8, 16]
    )
    made: nn.Module = detection.ssd.SSD(
        pyramid,
        boxes,
        (frame_px, frame_px),
        categories + 1,  # the background is the first
        head=head(pyramid.out_channels, boxes.num_anchors_per_location(), categories + 1),
        image_mean=list(IMAGENET_MEAN),
        image_std=list(IMAGENET_STD),
        score_thresh=_LOWEST_SCORE,
        nms_thresh=_OVERLAP,
        detections_per_img=_MOST_BOXES,
        topk_candidates=100,
    )
    return made


def _frames(frame_px: int) -> dict[str, Any]:
    """Return what keeps torchvision from resizing frames: they have their size already."""
    return {
        "min_size": frame_px,
        "max_size": frame_px,
        "fixed_size": (frame_px, frame_px),
        "image_mean": list(IMAGENET_MEAN),
        "image_std": list(IMAGENET_STD),
    }


def _generator(sides: tuple[tuple[float, ...], ...], aspects: tuple[float, ...]) -> Any:
    detection: Any = import_torchvision().models.detection
    return detection.anchor_utils.AnchorGenerator(sides, (aspects,) * len(sides))


def _resnet_pyramid() -> SmallPyramid:
    net = create_resnet("resnet18", width=0.25)
    parts = OrderedDict((name, net.get_submodule(name)) for name in ("conv1", "bn1", "relu"))
    # without the pool of the stem, which would make the second stage's stride 8 and the last's 32
    parts |= {name: net.get_submodule(name) for name in STAGES[:3]}
    return SmallPyramid(nn.Sequential(parts), net.get_submodule("layer4"), (64, 128), merge=True)


def _plain_pyramid(*, merge: bool) -> SmallPyramid:
    layers: Any = import_torchvision().models.vgg.make_layers
    stem = layers([16, "M", 32, 32, "M", 64, 64, "M"], batch_norm=True)
    deeper = nn.Sequential(
        nn.Conv2d(64, 128, 3, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(inplace=True),
        nn.Conv2d(128, 128, 3, 1, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(inplace=True),
    )
    return SmallPyramid(stem, deeper, (64, 128), merge=merge)


def _mobilenet_pyramid() -> SmallPyramid:
    net: Any = import_torchvision().models.mobilenet_v3_small(weights=None, width_mult=0.75)
    # its first four blocks end at stride 8, the next five at stride 16
    stem, deeper = net.features[:4], net.features[4:9]
    channels = (int(stem[-1].out_channels), int(deeper[-1].out_channels))
    return SmallPyramid(stem, deeper, channels, merge=False)
