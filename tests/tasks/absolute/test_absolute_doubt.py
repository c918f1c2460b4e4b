"""A network's doubt: dropout that goes on, against the closed form of a linear head."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sightline.tasks.absolute.checkpoint import AbsoluteModel, ready
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.tasks.absolute.doubt import predict_with_spread
from sightline.tasks.absolute.model import create_model


def small(dropout: float) -> AbsoluteModel:
    torch.manual_seed(0)
    config = AbsoluteConfig(
        model="posenet", backbone="compact", weights="none", width=32, height=32, dropout=dropout
    )
    network = create_model(config)
    network.translation_mean.copy_(torch.tensor([3.0, -2.0, 1.0]))
    network.translation_scale.fill_(7.0)
    return ready(network, config)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(3)]


def test_the_spread_of_a_linear_head(pictures: list[np.ndarray]) -> None:
    model = small(0.3)
    frames = np.stack([model.frame(p) for p in pictures])
    poses, spread = predict_with_spread(model.network, frames, draws=4000)
    with torch.inference_mode():
        inputs = model.network.backbone.contract.normalise(
            torch.from_numpy(frames).permute(0, 3, 1, 2)
        )
        features = model.network.backbone(inputs)
        # x kept with 0.7 and divided by it has the variance x^2 0.3 / 0.7
        variance = (features**2) @ (model.network.head.weight[:3] ** 2).T * 0.3 / 0.7
        expected = 7.0 * variance.sum(dim=1).sqrt().numpy()
    assert spread is not None
    np.testing.assert_allclose(spread, expected, rtol=0.05)
    plain = model.predict_frames(frames)
    np.testing.assert_allclose(poses.translation, plain.translation, atol=1e-6)
    np.testing.assert_allclose(poses.q_wxyz, plain.q_wxyz, atol=1e-6)


def test_it_is_the_same_each_time_and_alone(pictures: list[np.ndarray]) -> None:
    model = small(0.2)
    state = torch.get_rng_state()
    _, together = model.predict_with_spread(pictures)
    assert torch.equal(torch.get_rng_state(), state)
    assert together is not None
    for picture, spread in zip(pictures, together, strict=True):
        _, alone = model.predict_with_spread([picture])
        assert alone is not None
        assert alone[0] == pytest.approx(spread, rel=1e-4)
    _, by_two = predict_with_spread(
        model.network, np.stack([model.frame(p) for p in pictures]), batch=2
    )
    np.testing.assert_allclose(by_two, together, rtol=1e-4)


def test_a_head_without_dropout_has_no_doubt(pictures: list[np.ndarray]) -> None:
    model = small(0.0)
    poses, spread = model.predict_with_spread(pictures)
    assert len(poses) == 3
    assert spread is None
    poses, spread = small(0.2).predict_with_spread([])
    assert len(poses) == 0
    assert spread is None
