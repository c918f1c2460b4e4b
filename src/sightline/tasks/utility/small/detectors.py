"""torchvision's one-stage detectors round small backbones, for frames of 128 pixels and less."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from sightline.learning.backbones import IMAGENET_MEAN, IMAGENET_STD
from sightline.learning.torchvision_compat import import_torchvision
from sightline.tasks.utility.small.trunks import (
    Pyramid,
    mobilenet_trunk,
    plain_trunk,
    resnet_trunk,
)

#: Sides of anchors over the frame's side, for strides of 8 and 16 pixels.
_ANCHORS = ((0.2, 0.32), (0.5, 0.8))
_ASPECTS = (0.5, 1.0, 2.0)
_CHANNELS = 64

#: Boxes with a lower score are not given; what labels need is 0.5, what mAP needs is some below.
_LOWEST_SCORE = 0.05
_OVERLAP = 0.5
_MOST_BOXES = 20


def fcos(categories: int, frame_px: int) -> nn.Module:
    """Return FCOS on a ResNet-18 of half its width (Tian et al. 2019)."""
    detection: Any = import_torchvision().models.detection
    made: nn.Module = detection.FCOS(
        Pyramid(resnet_trunk(), _CHANNELS),
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
        Pyramid(plain_trunk(), _CHANNELS),
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
    pyramid = Pyramid(plain_trunk())
    detection: Any = import_torchvision().models.detection
    return _ssd(pyramid, detection.ssd.SSDHead, categories, frame_px)


def ssdlite(categories: int, frame_px: int) -> nn.Module:
    """Return SSDLite on MobileNetV3-small (Sandler et al. 2018)."""
    detection: Any = import_torchvision().models.detection
    head = partial(detection.ssdlite.SSDLiteHead, norm_layer=nn.BatchNorm2d)
    return _ssd(Pyramid(mobilenet_trunk()), head, categories, frame_px)


def _ssd(pyramid: Pyramid, head: Any, categories: int, frame_px: int) -> nn.Module:
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
