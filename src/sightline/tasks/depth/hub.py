"""Networks as transformers keeps them, by hub name or local folder; loading runs no code."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

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

    loader = getattr(transformers(), kind)
    with _quiet():
        try:
            net, found = loader.from_pretrained(
                _place(source, what),
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except Exception as error:  # the hub's client has many
            raise _failure(source, what, error) from error
    wrong = sorted({*found["missing_keys"], *map(str, found["mismatched_keys"])})
    if wrong:
        raise WeightsError(
            f"{what} is wanted, {source} lacks {len(wrong)} of its tensors ({wrong[0]} ...); "
            "it is a checkpoint of another kind"
        )
    return net.eval()


def read_hub_config(source: str | Path, what: str) -> Any:
    """Return the configuration of a network of transformers.

    Args:
        source: A hub name or a local folder.
        what: What it is, for messages.

    Raises:
        WeightsError: It cannot be had.
    """
    with _quiet():
        try:
            return transformers().AutoConfig.from_pretrained(_place(source, what))
        except Exception as error:
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


def _failure(source: str | Path, what: str, error: Exception) -> WeightsError:
    if isinstance(error, WeightsError):
        return error
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if Path(source).expanduser().is_dir():
        return WeightsError(f"{what} is wanted, {source} cannot be read as one: {first}")
    return WeightsError(
        f"{what} is wanted, {source} is not on this machine and cannot be fetched ({first}); run "
        f"`hf download {source} --local-dir FOLDER` where there is a network and pass that folder"
    )


class _quiet:  # noqa: N801
    """No progress bars and reports of transformers while something loads."""

    def __enter__(self) -> None:
        self._logger = logging.getLogger("transformers")
        self._level = self._logger.level
        self._logger.setLevel(logging.ERROR)
        utilities = transformers().utils.logging
        self._bars = utilities.is_progress_bar_enabled()
        utilities.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)
        if self._bars:
            transformers().utils.logging.enable_progress_bar()
