"""Uploaded bytes to upright pixels, within the service's limits."""

from __future__ import annotations

from sightline.media.limits import MediaLimits
from sightline.media.photo import exif_focal_px, read_photo
from sightline.server.inference import Decode, DecodedPhoto
from sightline.server.settings import ServerSettings


def photo_decoder(settings: ServerSettings) -> Decode:
    """Return what decodes uploads; it raises MediaError for what is no readable photo."""
    limits = MediaLimits(max_bytes=settings.max_file_bytes, max_pixels=settings.max_pixels)

    def decode(data: bytes) -> DecodedPhoto:
        return DecodedPhoto(read_photo(data, limits), exif_focal_px(data, limits))

    return decode
