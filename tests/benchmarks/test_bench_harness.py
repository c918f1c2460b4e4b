"""What every benchmark's figures rest on: percentiles, peak memory, the report."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import _harness
from _harness import Benchmark, Stages, best_of, in_own_process, percentile
from sightline.errors import InputError

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "benchmarks").glob("[a-z]*.py"))


def run(script, *flags):
    command = [sys.executable, str(script), *map(str, flags)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def fill(megabytes):
    return int(np.ones(megabytes * 2**20, np.uint8).sum()) // 2**20


@pytest.mark.parametrize("percent", [1, 50, 95, 100])
@pytest.mark.parametrize("count", [1, 2, 7, 20, 101])
def test_percentile_is_numpys_inverted_cdf(percent, count):
    values = np.random.default_rng(count).normal(size=count)
    wanted = np.percentile(values, percent, method="inverted_cdf")
    assert percentile(values.tolist(), percent) == wanted


def test_best_of_repeats_and_keeps_the_least(monkeypatch):
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    monkeypatch.setattr(_harness.time, "perf_counter", lambda: next(ticks))
    answers = iter("abc")
    assert best_of(lambda: next(answers), 3) == (2.0, "c")


def test_memory_is_that_of_the_own_process():
    mine = np.ones(300 * 2**20, np.uint8)  # must not count against the children
    little, much = in_own_process(fill, 1), in_own_process(fill, 200)
    assert (little.value, much.value) == (1, 200)
    assert 190 < much.peak_mb - little.peak_mb < 230
    assert little.peak_mb < mine.nbytes / 2**20


def test_report_prints_a_table_and_writes_what_it_was_measured_under(tmp_path, capsys):
    bench = Benchmark("benchmarks/example.py", "An example.")
    bench.parser.add_argument("--frames", type=int, default=7)
    bench.options(["--out", str(tmp_path / "example.json")])
    rows = [
        {"method": "slow", "ms": np.float64(1234.5), "same": True, "hidden": Path("a/b")},
        {"method": "quick", "ms": 1.0, "same": False},
    ]
    bench.report("what", {"method": "method", "ms": "ms", "same": "same", "none": "-"}, rows, x=1)

    printed = capsys.readouterr().out.splitlines()
    assert printed[4].split() == ["slow", "1,234", "yes", "-"]
    assert printed[5].split() == ["quick", "1.000", "NO", "-"]
    content = json.loads((tmp_path / "example.json").read_text())
    assert content["benchmark"] == "example"
    assert content["options"] == {"frames": 7}
    assert content["machine"]["cores"] >= 1
    assert content["machine"]["load_after"] >= 0.0
    assert content["rows"][0] == {"method": "slow", "ms": 1234.5, "same": True, "hidden": "a/b"}
    assert content["x"] == 1


def test_expected_failures_are_one_line_and_code_2(capsys):
    def main():
        raise InputError("a place is wanted, nothing came")

    with pytest.raises(SystemExit) as ended:
        _harness.run_main(main)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: a place is wanted, nothing came\n"


def test_stages_are_said_once(capsys):
    stages = Stages()
    for text in ("epoch 1/20, loss 3.1", "epoch 2/20, loss 2.9", "mapping frames: 3 of 9"):
        stages(text, 0.1)
    assert capsys.readouterr().err == "... epoch\n... mapping frames\n"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_each_script_says_its_baseline_and_flags(script):
    shown = run(script, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "aseline:" in shown.stdout or "Baselines:" in shown.stdout
    assert "--out" in shown.stdout


def test_without_the_real_data_real_video_says_so(tmp_path):
    script = next(s for s in SCRIPTS if s.stem == "real_video")
    ended = run(script, "--data", tmp_path / "absent")
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "real inputs are wanted" in ended.stderr
