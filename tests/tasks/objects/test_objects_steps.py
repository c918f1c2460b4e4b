"""The protocols of Table 1: which parts each step changes, and what its result depends on."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sightline.errors import NonFiniteLossError, TrainingError
from sightline.geometry.rotation import rotation_angle_deg
from sightline.geometry.viewpoint import object_from_turn
from sightline.learning.fit import fit
from sightline.records.objects import ObjectSet, rotations
from sightline.tasks.objects.batches import CropBatches, plain_batches
from sightline.tasks.objects.config import ObjectsConfig
from sightline.tasks.objects.model import ObjectsNet, create_model
from sightline.tasks.objects.samples import Samples, usable_views
from sightline.tasks.objects.steps import Step, protocol, step_key, step_settings
from sightline.tasks.objects.teaching import StepTask, TrainingViews, fixed_features

QUICK = ObjectsConfig(
    backbone="resnet18",
    width=0.125,
    weights="none",
    pose_sizes=(12, 8),
    crop_px=32,
    batch=24,
    epochs=1,
    learning_rate=1e-2,
    ema=0.0,
    precision="float32",
    checkpoint_every_s=0.0,
)
KINDS = ("bus", "car", "chair")


def quick(**changes: object) -> ObjectsConfig:
    return dataclasses.replace(QUICK, **changes)  # type: ignore[arg-type]


def samples_of(painted: ObjectSet, split: str) -> Samples:
    return usable_views(painted.part(split), 32, 0.05, margin=5)


def names(config: ObjectsConfig, categories: int = 3) -> list[str]:
    return [f"{s.number} {s.name}" for s in protocol(config, categories)]


def test_the_steps_are_those_of_table_1() -> None:
    assert names(quick()) == [
        "1 features",
        "2 pose-networks",
        "3 fine-tune",
        "4 category-network",
        "5 joint",
    ]
    balanced = quick(protocol="balanced")
    assert names(balanced) == ["1 features", "2 pose-networks", "3 category-network", "4 joint"]
    assert names(quick(protocol="joint")) == ["1 joint"]
    assert names(quick(fine_tune="somewhere")) == ["1 joint"]
    assert names(quick(architecture="shared", protocol="balanced")) == names(balanced)
    own = quick(architecture="sequential")
    assert names(own) == ["1 features", "2 pose-networks", "3 fine-tune", "4 category-resnet"]
    assert names(quick(architecture="independent", protocol="balanced")) == names(own)
    for config in (quick(), balanced, own):
        steps = protocol(config, 3)
        assert sum(step.share for step in steps) == pytest.approx(1.0)
        assert [s.name for s in steps if s.rendered] == [
            name for name in ("pose-networks", "fine-tune") if name in {s.name for s in steps}
        ]
    # equal steps of the two protocols have equal time
    for one, other in zip(protocol(quick())[:2], protocol(balanced)[:2], strict=True):
        assert one == other


def test_with_published_weights_the_features_are_left_as_they_are() -> None:
    steps = protocol(quick(weights="imagenet"))
    assert steps[0].trains == ()
    assert steps[0].share == 0
    assert "nothing is trained" in steps[0].words
    assert protocol(quick())[0].trains == ("features", "category")
    assert "in place of published weights" in protocol(quick())[0].words


def test_one_category_is_not_taught() -> None:
    assert names(quick(), 1) == ["1 features", "2 pose-networks", "3 fine-tune", "4 joint"]
    assert protocol(quick(), 1)[0].trains == ()


ALL = [
    (architecture, order, step.name)
    for architecture in ("integrated", "shared", "sequential", "independent")
    for order in ("pose_first", "balanced")
    for step in protocol(quick(architecture=architecture, protocol=order), 3)
]


@pytest.mark.parametrize(("architecture", "order", "name"), ALL)
def test_frozen_parts_stay_as_they_are_to_the_bit(
    architecture: str, order: str, name: str, painted: ObjectSet, tmp_path: Path
) -> None:
    """Batch norm's buffers too (PITFALLS 9); and what is trained changes."""
    config = quick(architecture=architecture, protocol=order, tuned="fc_stage5")
    network = create_model(config, KINDS)
    step = next(s for s in protocol(config, 3) if s.name == name)
    settings = step_settings(step, config)
    training = TrainingViews(samples_of(painted, "train"), config)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    batches = training.batches(step, settings, network)
    fit(StepTask(network, step, settings, KINDS, None), batches, settings, tmp_path)
    parts = ("features", "category_features", "category", "pose")
    key_of = {id(v): k for k, v in network.state_dict(keep_vars=True).items()}
    seen = set()
    for part in parts:
        keys = {
            key_of[id(tensor)]
            for module in network.part(part)
            for tensor in module.state_dict(keep_vars=True).values()
        }
        seen |= keys
        changed = {k for k in keys if not torch.equal(before[k], network.state_dict()[k])}
        if part in step.trains:
            weights = {k for k in keys if k.endswith("weight")}
            assert weights <= changed, part
            assert not keys or any("running" in k for k in changed) or part == "category"
        else:
            assert not changed, part
    assert seen == set(before)


def test_the_oracle_teaches_only_the_pose_networks_of_the_batchs_categories(
    painted: ObjectSet,
) -> None:
    network = create_model(QUICK, KINDS)
    samples = samples_of(painted, "train")
    step = protocol(QUICK, 3)[2]
    task = StepTask(network, step, QUICK, KINDS, None)
    task.model.train()
    batch = next(iter(CropBatches(samples, samples.category == 1, QUICK).epoch(0)))
    task.terms(batch)["loss"].backward()
    gradient = network.pose.fc3.weight.grad
    assert gradient is not None
    assert gradient[1].abs().min() > 0
    assert gradient[[0, 2]].abs().max() == 0
    assert all(p.grad is None for m in network.part("category") for p in m.parameters())
    assert any(p.grad is not None for m in network.part("features") for p in m.parameters())


def test_fixed_features_are_the_networks_of_plain_and_mirrored_crops(painted: ObjectSet) -> None:
    network = create_model(QUICK, KINDS)
    training = TrainingViews(samples_of(painted, "train"), QUICK)
    step = protocol(QUICK, 3)[1]
    every = np.ones(72, dtype=bool)
    plain = list(fixed_features(network, training.samples, every))
    mirrored = list(fixed_features(network, training.samples, every, flipped=True))
    image = next(plain_batches(training.samples, every, 72)).inputs
    network.eval()
    with torch.no_grad():
        expected = network.features_of(network.contract.normalise(image.flip(3)))
    torch.testing.assert_close(torch.cat([b.inputs for b in mirrored]), expected)
    assert len(training.batches(step, QUICK, network)) == 6  # 144 of 24
    assert len(training.batches(step, quick(flip=False), network)) == 3
    known = torch.cat([b.inputs for b in (*plain, *mirrored)])
    for batch in training.batches(step, QUICK, network).epoch(3):
        assert batch.category.bincount().tolist() == [8, 8, 8]
        assert (batch.inputs[:, None] == known).all(dim=2).any(dim=1).all()


def test_rendered_views_are_in_the_steps_that_teach_pose_alone(painted: ObjectSet) -> None:
    """Every third view is marked; of the others every second has no rotation."""
    views = tuple(
        dataclasses.replace(
            view,
            rendered=i % 3 == 0,
            cam_from_object=None if i % 2 and i % 3 else view.cam_from_object,
        )
        for i, view in enumerate(painted.part("train").views)
    )
    training = TrainingViews(
        usable_views(dataclasses.replace(painted, views=views), 32, 0.05, margin=5), QUICK
    )
    network = create_model(QUICK, KINDS)
    counts = {}
    for order in ("pose_first", "balanced"):
        for step in protocol(quick(protocol=order), 3):
            settings = quick(batch=1, flip=False)
            counts[order, step.name] = len(training.batches(step, settings, network))
    posed, rendered = sum(v.cam_from_object is not None for v in views), 24
    assert counts == {
        ("pose_first", "features"): 72 - rendered,
        ("pose_first", "pose-networks"): posed,
        ("pose_first", "fine-tune"): posed,
        ("pose_first", "category-network"): 72 - rendered,
        ("pose_first", "joint"): 72 - rendered,
        ("balanced", "features"): 72 - rendered,
        ("balanced", "pose-networks"): posed,
        ("balanced", "category-network"): 72 - rendered,
        ("balanced", "joint"): 72 - rendered,
    }
    assert posed == 48
    bare = tuple(dataclasses.replace(view, cam_from_object=None) for view in views)
    nothing = usable_views(dataclasses.replace(painted, views=bare), 32, 0.05, margin=5)
    with pytest.raises(TrainingError, match="step fine-tune, none of 72 has one"):
        TrainingViews(nothing, QUICK).batches(protocol(QUICK, 3)[2], QUICK, network)


def keys(config: ObjectsConfig, data: str = "d", rendered: str = "") -> list[str]:
    found, key = [], ""
    for step in protocol(config, 3):
        key = step_key(step, step_settings(step, config), key, data, rendered)
        found.append(key)
    return found


def shared(one: ObjectsConfig, other: ObjectsConfig) -> int:
    """Return how many first steps two runs share."""
    pairs = list(zip(keys(one), keys(other), strict=False))
    count = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
    assert all(a != b for a, b in pairs[count:])
    return count


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"category_weight": 1.0}, 4),
        ({"fusion": "top1"}, 4),
        ({"threads": 2, "checkpoint_every_s": 5.0}, 5),
        ({"tuned": "fc"}, 5),
        ({"protocol": "balanced"}, 2),
        ({"symmetric": True}, 1),
        ({"jitter_tilt_deg": 3.0}, 0),
        ({"learning_rate": 1e-3}, 0),
        ({"max_seconds": 50.0}, 0),
        ({"epochs": 2}, 0),
        ({"seed": 1}, 0),
        ({"head": "sixd"}, 0),
        ({"architecture": "shared"}, 0),
    ],
)
def test_runs_share_the_steps_that_what_differs_cannot_change(
    changes: dict[str, object], count: int
) -> None:
    assert shared(QUICK, quick(**changes)) == count


def test_a_step_depends_on_data_and_rendered_images_and_a_weights_file(tmp_path: Path) -> None:
    config = quick(weights="imagenet")
    assert keys(config, "other")[0] != keys(config)[0]
    with_rendered = keys(config, rendered="r")
    assert with_rendered[0] == keys(config)[0]
    assert with_rendered[1] != keys(config)[1]
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"one")
    from_file = quick(weights=str(file))
    first = keys(from_file)
    file.write_bytes(b"two")
    assert keys(from_file)[0] != first[0]
    own = quick(architecture="sequential")
    assert shared(own, dataclasses.replace(own, tuned="fc")) == 3


@pytest.mark.parametrize(
    ("head", "fusion"),
    [("axis_angle", "weighted"), ("axis_angle", "chordal"), ("fisher", "weighted")],
)
@pytest.mark.parametrize("part", ["pose", "category"])
def test_a_loss_that_is_not_finite_names_its_term(
    head: str, fusion: str, part: str, painted: ObjectSet, tmp_path: Path
) -> None:
    """Where the head or the fusion makes an SVD of it, too."""
    config = quick(head=head, fusion=fusion)
    network = create_model(config, KINDS)
    last = network.pose.fc3 if part == "pose" else network.category.fc
    with torch.no_grad():
        last.bias.fill_(float("nan"))
    step = protocol(config, 3)[4]
    batches = TrainingViews(samples_of(painted, "train"), config).batches(step, config, network)
    with pytest.raises(NonFiniteLossError, match=f"the term '{part}' is nan"):
        fit(StepTask(network, step, config, KINDS, None), batches, config, tmp_path)


def test_validation_scores_are_those_of_the_answers(painted: ObjectSet) -> None:
    """Against errors computed by the geometry, for the untrained network."""
    held_out = samples_of(painted, "validation")
    network: ObjectsNet = create_model(quick(head="sixd"), KINDS)
    network.eval()
    steps = {step.name: step for step in protocol(QUICK, 3)}
    batch = next(plain_batches(held_out, np.ones(24, dtype=bool), 24))
    with torch.no_grad():
        out = network(network.contract.normalise(batch.inputs))
        own = network.head.rotation(out.vectors)[torch.arange(24), batch.category]
        likely = out.logits.softmax(dim=1)
        mixed = network.head.rotation((out.vectors * likely[..., None]).sum(dim=1))
    category, true = held_out.category, rotations(held_out.views)

    def median(turns: torch.Tensor) -> float:
        q = object_from_turn(
            Rotation.from_matrix(turns.double().numpy()).as_quat(scalar_first=True)
        )
        errors = rotation_angle_deg(q, true)
        return float(np.mean([np.median(errors[category == k]) for k in range(3)]))

    right = out.logits.argmax(dim=1).numpy() == category
    accuracy = float(np.mean([right[category == k].mean() for k in range(3)]))

    def scores(step: Step) -> dict[str, float]:
        task = StepTask(network, step, quick(head="sixd"), KINDS, held_out)
        task.model.eval()
        return task.validate(task.model)

    found = scores(steps["fine-tune"])
    assert found == {
        "median_deg": pytest.approx(median(own), abs=1e-3),
        "score": found["median_deg"],
    }
    assert scores(steps["pose-networks"])["median_deg"] == pytest.approx(median(own), abs=1e-3)
    found = scores(steps["category-network"])
    assert found["accuracy"] == pytest.approx(accuracy)
    assert found["score"] == pytest.approx(100 * (1 - accuracy))
    found = scores(steps["joint"])
    assert found["median_deg"] == pytest.approx(median(mixed), abs=1e-3)
    assert found["score"] == pytest.approx(median(mixed) + 100 * (1 - accuracy), abs=1e-3)
