"""Selection by exact time, against a brute-force search and closed forms."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.media.timing import exact_rate, select_best, select_nearest


def timed(times):
    return [(t, k) for k, t in enumerate(times)]


def even(count, rate):
    return timed([k / Fraction(rate) for k in range(count)])


def nearest(stream, fps):
    return [k for _, k in select_nearest(stream, Fraction(fps))]


def test_exact_rate_reads_decimals_as_written():
    assert exact_rate(29.97) == Fraction(2997, 100)
    assert exact_rate(10) == 10
    assert exact_rate(Fraction(30000, 1001)) == Fraction(30000, 1001)


@pytest.mark.parametrize("fps", [0, -1.0, float("nan"), float("inf"), Fraction(0)])
def test_exact_rate_refuses(fps):
    with pytest.raises(InputError, match="over 0 frames a second"):
        exact_rate(fps)


def test_every_third_frame():
    assert nearest(even(500, 30), 10) == list(range(0, 500, 3))


def test_ntsc_at_ten_never_drifts_in_an_hour():
    rate = Fraction(30000, 1001)
    count = round(3600 * rate)
    chosen = [t for t, _ in select_nearest(even(count, rate), Fraction(10))]
    assert len(chosen) == 3600 * 10
    assert max(abs(t - Fraction(k, 10)) for k, t in enumerate(chosen)) <= 1 / rate / 2


def test_int_of_the_rate_would_have_drifted():
    """Taking every int(29.97 / 10) = 2nd frame is what must not happen."""
    assert nearest(even(301, Fraction(30000, 1001)), 10)[-1] == 300
    assert len(nearest(even(301, Fraction(30000, 1001)), 10)) == 101


@pytest.mark.parametrize("fps", [30, 31, 60, 1000])
def test_a_rate_above_gives_every_frame_once(fps):
    assert nearest(even(100, 30), fps) == list(range(100))
    assert nearest(even(100, Fraction(30000, 1001)), fps) == list(range(100))


def test_millisecond_rounding_changes_nothing():
    times = [Fraction(round(k * 1000 / 30), 1000) for k in range(500)]
    assert nearest(timed(times), 30) == list(range(500))
    assert nearest(timed(times), 10) == list(range(0, 500, 3))
    best = [k for _, k in select_best(timed(times), Fraction(30), lambda k: 0.0)]
    assert best == list(range(500))


def test_a_pause_is_not_filled():
    times = [Fraction(k, 10) for k in (0, 1, 2, 50, 51)]
    assert nearest(timed(times), 10) == [0, 1, 2, 3, 4]


def test_an_absurd_gap_is_instant():
    assert nearest(timed([Fraction(0), Fraction(10**12)]), 30) == [0, 1]


def test_empty_and_single():
    assert nearest([], 10) == []
    assert nearest(timed([Fraction(0)]), 10) == [0]
    assert list(select_best([], Fraction(10), float)) == []


steps = st.lists(st.integers(1, 400), min_size=1, max_size=60)


@given(steps, st.integers(1, 60))
def test_nearest_agrees_with_brute_force(gaps, fps):
    times = [Fraction(sum(gaps[:k]), 1000) for k in range(len(gaps) + 1)]
    end = times[-1] + Fraction(gaps[-1], 2000)
    expected = set()
    tick = Fraction(0)
    while tick <= end:
        expected.add(min(range(len(times)), key=lambda k: (abs(times[k] - tick), k)))
        tick += Fraction(1, fps)
    assert nearest(timed(times), fps) == sorted(expected)


@given(steps, st.integers(1, 60), st.randoms(use_true_random=False))
def test_best_agrees_with_brute_force(gaps, fps, random):
    times = [Fraction(sum(gaps[:k]), 1000) for k in range(len(gaps) + 1)]
    scores = [random.randrange(5) for _ in times]
    groups = {}
    for k, time in enumerate(times):
        ticks = range(int(time * fps) + 2)
        groups.setdefault(min(ticks, key=lambda j: (abs(time - Fraction(j, fps)), j)), []).append(k)
    expected = [max(group, key=lambda k: (scores[k], -k)) for group in groups.values()]
    chosen = [k for _, k in select_best(timed(times), Fraction(fps), lambda k: scores[k])]
    assert chosen == expected
