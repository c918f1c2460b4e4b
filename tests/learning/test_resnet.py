from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sightline.errors import WeightsError
from sightline.learning.resnet import create_resnet, load_resnet, resnet_weights


def _file(tmp_path: Path, *prefixes: str) -> tuple[Path, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    state = create_resnet("resnet18", 0.125).state_dict()
    inside = {
        f"{prefix}{key}": value.clone() for prefix in prefixes for key, value in state.items()
    }
    save_file({**inside, "head.weight": torch.ones(3)}, tmp_path / "network.safetensors")
    return tmp_path / "network.safetensors", state


@pytest.mark.parametrize("prefix", ["module.", "features.", "net.encoder."])
def test_a_resnet_is_found_inside_another_network(tmp_path: Path, prefix: str) -> None:
    file, wanted = _file(tmp_path, prefix)
    state, origin = resnet_weights("resnet18", str(file))
    net = create_resnet("resnet18", 0.125)
    load_resnet(net, "resnet18", state, origin)  # strict: every tensor, and none too many
    for key, value in net.state_dict().items():
        torch.testing.assert_close(value, wanted[key], rtol=0, atol=0)


def test_of_two_resnets_none_is_taken(tmp_path: Path) -> None:
    file, _ = _file(tmp_path, "features.", "category_features.")
    with pytest.raises(WeightsError, match="there are several"):
        resnet_weights("resnet18", str(file))


def test_a_file_without_a_resnet_does_not_fit(tmp_path: Path) -> None:
    file, _ = _file(tmp_path)
    state, origin = resnet_weights("resnet18", str(file))
    with pytest.raises(WeightsError, match="does not fit resnet18"):
        load_resnet(create_resnet("resnet18", 0.125), "resnet18", state, origin)
