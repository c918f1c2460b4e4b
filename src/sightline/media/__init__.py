"""Images and video in and out: orientation, exact timestamps, limits."""

from sightline.media.encode import video_writer, write_video
from sightline.media.extract import ExtractedFrame, extract_frames
from sightline.media.limits import MediaLimits
from sightline.media.photo import exif_focal_px, list_photos, photo_size, read_photo, write_photo
from sightline.media.video import VideoFrame, VideoInfo, iter_frames, probe_video

__all__ = [
    "ExtractedFrame",
    "MediaLimits",
    "VideoFrame",
    "VideoInfo",
    "exif_focal_px",
    "extract_frames",
    "iter_frames",
    "list_photos",
    "photo_size",
    "probe_video",
    "read_photo",
    "video_writer",
    "write_photo",
    "write_video",
]
