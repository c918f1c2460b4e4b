"""Fitting: the best weights really kept, resumed to the bit, stopped on a non-finite loss."""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sightline.errors import InputError, TrainingError
from sightline.learning.averaging import AveragedWeights
from sightline.learning.config import FitConfig
from sightline.learning.fit import (
    BEST,
    LAST,
    FitResult,
    fit,
    learning_rate_factor,
    read_history,
    write_history,
)


@dataclass
class Pair:
    x: Tensor
    y: Tensor

    def to(self, device: torch.device) -> "Pair":
        return Pair(self.x.to(device), self.y.to(device))


class Line:
    """y = 3 x - 1, with noise that depends on the epoch alone."""

    def __init__(self, steps: int = 4) -> None:
        self.steps = steps
        self.epochs_drawn: list[int] = []

    def __len__(self) -> int:
        return self.steps

    def epoch(self, number: int) -> Iterator[Pair]:
        self.epochs_drawn.append(number)
        generator = torch.Generator().manual_seed(number)
        for _ in range(self.steps):
            x = torch.randn(8, 1, generator=generator)
            yield Pair(x, 3 * x - 1 + 0.01 * torch.randn(8, 1, generator=generator))


class Regression:
    """A small network with everything that a checkpoint must carry: dropout, batch norm."""

    def __init__(self, scores: list[float] | None = None) -> None:
        torch.manual_seed(0)
        self.model: nn.Module = nn.Sequential(
            nn.Linear(1, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 1)
        )
        self.scores = scores
        self.seen: list[dict[str, Tensor]] = []
        self.poison_at: int | None = None
        self.calls = 0

    def terms(self, batch: Pair) -> dict[str, Tensor]:
        self.calls += 1
        error = (self.model(batch.x) - batch.y).square().mean()
        rotation = error * float("nan") if self.calls == self.poison_at else error * 0
        return {"position": error, "rotation": rotation, "loss": error + rotation}

    def validate(self, model: nn.Module) -> dict[str, float]:
        assert not model.training
        self.seen.append({k: v.clone() for k, v in model.state_dict().items()})
        if self.scores is not None:
            return {"score": self.scores[len(self.seen) - 1]}
        x = torch.linspace(-2, 2, 50)[:, None]
        return {"score": (model(x) - (3 * x - 1)).square().mean().item()}


def config(**changes: object) -> FitConfig:
    values: dict[str, object] = {
        "epochs": 6,
        "learning_rate": 0.02,
        "validate_every": 1,
        "checkpoint_every_s": 0.0,
        "ema": 0.5,
    }
    return FitConfig(**{**values, **changes})  # type: ignore[arg-type]


def test_it_learns(tmp_path: Path) -> None:
    result = fit(Regression(), Line(20), config(epochs=25), tmp_path)
    assert isinstance(result, FitResult)
    assert result.best["score"] < 0.3
    assert result.epochs == 25
    assert not (tmp_path / LAST).exists()


def test_the_best_weights_are_kept_and_not_a_reference(tmp_path: Path) -> None:
    task = Regression(scores=[5.0, 1.0, 3.0, 2.0, 4.0, 1.5])
    result = fit(task, Line(), config(), tmp_path)
    assert (result.best_epoch, result.best["score"]) == (2, 1.0)
    for name, value in task.model.state_dict().items():
        torch.testing.assert_close(value, task.seen[1][name], msg=name)
    assert not torch.equal(task.seen[1]["0.weight"], task.seen[5]["0.weight"])
    saved = load_file(tmp_path / BEST)
    torch.testing.assert_close(saved["0.weight"], task.seen[1]["0.weight"])


class Killed(BaseException):
    pass


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_killed_training_resumes_to_the_same_bits(tmp_path: Path, ema: float) -> None:
    whole_task = Regression()
    whole = fit(whole_task, Line(), config(ema=ema), tmp_path / "whole")

    def kill(text: str, _fraction: float) -> None:
        if text.startswith("epoch 4/"):  # reported before its checkpoint: epoch 3's is the last
            raise Killed

    broken = Regression()
    with pytest.raises(Killed):
        fit(broken, Line(), config(ema=ema), tmp_path / "broken", kill)
    assert (tmp_path / "broken" / LAST).is_file()
    resumed, line = Regression(), Line()
    torch.manual_seed(999)  # the generator's state comes from the checkpoint
    result = fit(resumed, line, config(ema=ema), tmp_path / "broken")
    assert line.epochs_drawn == [3, 4, 5]
    assert [row["epoch"] for row in result.history] == [1, 2, 3, 4, 5, 6]
    for name, value in whole_task.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    keep = ("train_loss", "score", "learning_rate")
    assert [[row[k] for k in keep] for row in result.history] == [
        [row[k] for k in keep] for row in whole.history
    ]
    assert (result.best_epoch, result.best["score"]) == (whole.best_epoch, whole.best["score"])


def test_the_best_of_before_the_kill_survives_it(tmp_path: Path) -> None:
    def kill(text: str, _fraction: float) -> None:
        if text.startswith("epoch 4/"):
            raise Killed

    first = Regression(scores=[5.0, 1.0, 3.0, 2.0])
    with pytest.raises(Killed):
        fit(first, Line(), config(), tmp_path, kill)
    second = Regression(scores=[9.0, 9.0, 9.0])
    result = fit(second, Line(), config(), tmp_path)
    assert (result.best_epoch, result.best["score"]) == (2, 1.0)
    torch.testing.assert_close(second.model.state_dict()["0.weight"], first.seen[1]["0.weight"])


def test_a_non_finite_loss_names_epoch_step_and_term(tmp_path: Path) -> None:
    task = Regression()
    task.poison_at = 11
    with pytest.raises(TrainingError, match="epoch 3, step 3 the term 'rotation' is nan") as caught:
        fit(task, Line(4), config(), tmp_path)
    assert "\n" not in str(caught.value)
    saved = load_file(tmp_path / BEST)
    assert all(torch.isfinite(v).all() for v in saved.values())
    assert len(read_history(tmp_path / "history.csv")) == 2


def test_ctrl_c_is_ctrl_c_and_leaves_the_handler(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    task = Regression()

    def press(text: str, _fraction: float) -> None:
        if text.startswith("epoch 3/"):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(task, Line(), config(), tmp_path, press)
    assert signal.getsignal(signal.SIGINT) is before
    line = Line()
    fit(Regression(), line, config(), tmp_path)
    assert line.epochs_drawn[0] >= 2


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    def kill(text: str, _fraction: float) -> None:
        if text.startswith("epoch 3/"):
            raise Killed

    with pytest.raises(Killed):
        fit(Regression(), Line(), config(), tmp_path, kill)
    other = Regression()
    other.model = nn.Linear(1, 1)
    with pytest.raises(TrainingError, match="does not fit this training") as caught:
        fit(other, Line(), config(), tmp_path)
    assert "\n" not in str(caught.value)
    assert (tmp_path / LAST).is_file()


def test_a_time_budget_ends_the_training(tmp_path: Path) -> None:
    class Slow(Regression):
        def terms(self, batch: Pair) -> dict[str, Tensor]:
            time.sleep(0.01)
            return super().terms(batch)

    result = fit(Slow(), Line(), config(epochs=0, max_seconds=1.0), tmp_path)
    assert 0.9 <= result.seconds < 5.0
    assert result.epochs >= 2
    assert result.history[-1]["learning_rate"] < 0.1 * 0.02  # it fell over the budget


def test_no_samples_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there are none"):
        fit(Regression(), Line(0), config(), tmp_path)


def test_the_schedule_is_one_of_progress() -> None:
    cosine = FitConfig(warmup=0.1)
    assert learning_rate_factor(0.05, cosine) == pytest.approx(0.5)
    assert learning_rate_factor(0.1, cosine) == pytest.approx(1.0)
    assert learning_rate_factor(0.55, cosine) == pytest.approx(0.5)
    assert learning_rate_factor(1.0, cosine) == pytest.approx(1e-3)
    assert learning_rate_factor(0.9, FitConfig(schedule="constant")) == 1.0


def test_the_rate_falls_by_epochs_however_many_steps_they_have(tmp_path: Path) -> None:
    """Stepped per batch where epochs were meant, it would be at its floor after one epoch."""
    for steps in (2, 20):
        result = fit(Regression(), Line(steps), config(warmup=0.0), tmp_path / str(steps))
        rates = [row["learning_rate"] / 0.02 for row in result.history]
        assert rates[2] == pytest.approx(0.6, abs=0.15)
        assert rates == sorted(rates, reverse=True)


def test_averages_are_copies_and_go_back(tmp_path: Path) -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    average = AveragedWeights(model, 0.9)
    for _ in range(40):
        with torch.no_grad():
            model.weight.add_(1.0)
        average.update()
    with average.applied():
        inside = model.weight.item()
    assert model.weight.item() == 41.0
    assert 20 < inside < 41
    kept = average.copy()
    with torch.no_grad():
        model.weight.zero_()
    assert kept["weight"].item() == inside
    with pytest.raises(KeyError, match="other"):
        average.write({"other": torch.zeros(1)})


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"batch": 0}, {"learning_rate": -1}, {"ema": 1.0}])
def test_a_setting_out_of_range_is_refused(bad: dict[str, float]) -> None:
    (name,) = bad
    with pytest.raises(InputError, match=name):
        FitConfig(**bad)  # type: ignore[arg-type]


def test_history_round_trip_leaves_empty_cells_out(tmp_path: Path) -> None:
    rows = [{"epoch": 1.0, "train_loss": 0.5}, {"epoch": 2.0, "train_loss": 0.25, "score": 1.0}]
    write_history(tmp_path / "h.csv", rows)
    assert read_history(tmp_path / "h.csv") == rows
    assert (tmp_path / "h.csv").read_text().splitlines()[0] == "epoch,train_loss,score"


def test_it_is_silent(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from test_fit import Line, Regression, config
        from sightline.learning.fit import fit
        fit(Regression(), Line(), config(epochs=2), Path({str(tmp_path)!r}))
    """)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_threads_are_given_back(tmp_path: Path) -> None:
    during: list[int] = []

    class Watched(Regression):
        def terms(self, batch: Pair) -> dict[str, Tensor]:
            during.append(torch.get_num_threads())
            return super().terms(batch)

    torch.set_num_threads(2)
    fit(Watched(), Line(), config(epochs=1, threads=1), tmp_path)
    assert set(during) == {1}
    assert torch.get_num_threads() == 2


def test_batches_are_made_on_one_thread_of_torch(tmp_path: Path) -> None:
    """A second team of threads beside the training's would fight with it for the cores."""
    making: list[int] = []

    class Watched(Line):
        def epoch(self, number: int) -> Iterator[Pair]:
            for batch in super().epoch(number):
                making.append(torch.get_num_threads())
                yield batch

    torch.set_num_threads(2)
    fit(Regression(), Watched(), config(epochs=1), tmp_path)
    assert set(making) == {1}
    assert torch.get_num_threads() == 2
