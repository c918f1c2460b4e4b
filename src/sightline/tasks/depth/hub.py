"""Networks as transformers keeps them, by hub name or local folder; loading runs no code."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from sightline.errors import WeightsError
from sightline.learning.torchvision_compat import import_torchvision


def transformers() -> Any:
    """Return the library, imported now."""
    import_torchvision()  # transformers imports it, and it may need help beside CPU torch
    import transformers as library

    return library


def load_from_hub(kind: str, source: str | Path, what: str) -> Any:
    """Return a network of transformers, in float32 and in eval mode.

    Args:
        kind: Name of its class, which reads ``config.json`` and ``model.safetensors``.
        source: A hub name or a local folder.
        what: What it is, for messages.

    Raises:
        WeightsError: It cannot be had, is of another kind, or lacks weights.
    """
    import torch

    net, found = read_from_hub(
        kind,
        source,
        what,
        use_safetensors=True,  # a pickle could run code
        dtype=torch.float32,
        output_loading_info=True,
    )
    missing = set(found["missing_keys"])
    unused = {key for key in missing if key.endswith("mask_token")}
    for key in unused:  # only DINOv2's own training reads it, and it must not differ by chance
        torch.nn.init.zeros_(net.get_parameter(key))
    wrong = sorted({*(missing - unused), *map(str, found["mismatched_keys"])})
    if wrong:
        raise WeightsError(
            f"{what} is wanted, {source} lacks {len(wrong)} of its tensors ({wrong[0]} ...); "
            "it is a checkpoint of another kind"
        )
    return net.eval()


def read_from_hub(kind: str, source: str | Path, what: str, **options: Any) -> Any:
    """Return what a class of transformers makes of a checkpoint.

    Args:
        kind: Name of the class: ``AutoConfig``, a network's, an image processor's.
        source: A hub name or a local folder.
        what: What is wanted of it, for messages.
        options: For its ``from_pretrained``.

    Raises:
        WeightsError: It cannot be had.
    """
    place = _place(source, what)
    with _quiet():
        try:
            return getattr(transformers(), kind).from_pretrained(
                place, local_files_only=not _reachable(place), **options
            )
        except Exception as error:  # the hub's client has many classes of them
            raise _failure(source, what, error) from error


def _place(source: str | Path, what: str) -> str:
    """Return what ``from_pretrained`` takes; a path that is no folder never becomes a hub name."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise WeightsError(
                f"{what} is wanted, {source} has no config.json; pass a folder as "
                "`hf download NAME` or `save_pretrained` leaves it"
            )
        return str(folder)
    name = str(source)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise WeightsError(
            f"{what} is wanted, {source} is neither a folder nor a hub name (OWNER/NAME)"
        )
    return name


def _reachable(place: str) -> bool:
    """Return whether the hub answers; its client would try for half a minute to find out."""
    from huggingface_hub import constants

    if Path(place).is_dir() or constants.HF_HUB_OFFLINE:
        return False
    if getproxies():
        return True
    host = urlsplit(constants.ENDPOINT)
    try:
        socket.create_connection((host.hostname or "", host.port or 443), timeout=5).close()
    except OSError:
        return False
    return True


def _failure(source: str | Path, what: str, error: Exception) -> WeightsError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if Path(source).expanduser().is_dir():
        return WeightsError(f"{what} is wanted, {source} cannot be read as one: {first}")
    return WeightsError(
        f"{what} is wanted, {source} is not on this machine and cannot be fetched ({first}); run "
        f"`hf download {source} --local-dir FOLDER` where there is a network and pass that folder"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep bars, reports and retries of the libraries out of the terminal while something loads."""
    bars = transformers().utils.logging
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown:
            bars.enable_progress_bar()
