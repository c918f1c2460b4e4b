"""Whether the paper's conclusions hold for measured numbers; each is worked out, never written.

Pose-err is in degrees, lower is better; cat-acc is a share of 1, higher is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sightline.app.papers.paper001.published import PublishedShare

#: "Marginally": cat-acc that differs by less (the paper so calls 0.003 to 0.007).
MARGIN = 0.02
#: "Comparable" and "no significant difference": pose-err within this ratio (the paper: 1.02).
COMPARABLE = 1.1
#: "Competitive" with a known category: the paper's own ratio to the best of Table 8 is 1.22.
COMPETITIVE = 1.25

Numbers = Mapping[str, float]

_ERR, _ACC = "pose-err", "cat-acc"
_RULES = ("weighted", "top1")


@dataclass(frozen=True)
class Conclusion:
    """One sentence of the paper, and what was measured.

    Attributes:
        claim: What the paper says.
        margin: By how much it holds; negative where it does not, NaN where a number is missing.
        figures: The numbers, in words.
        metric: What the margin is of: ``pose-err``, ``cat-acc``, or something else.
    """

    claim: str
    margin: float
    figures: str
    metric: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether it is so here; None where a number is missing."""
        return self.margin > 0 if math.isfinite(self.margin) else None

    def to_text(self, spread: Numbers | None = None) -> str:
        """Return the sentence.

        Args:
            spread: By metric, how far the choice of the test objects alone moves a number.
        """
        if self.holds is None:
            return f"{self.claim}: cannot be told here: {self.figures}"
        close = abs(self.margin) < (spread or {}).get(self.metric, 0.0)
        verdict = "holds here" if self.holds else "does not hold here"
        doubt = ", by less than the choice of the test objects does" if close else ""
        return f"{self.claim}: {verdict}{doubt}: {self.figures}"


def stages(err: Numbers) -> list[Conclusion]:
    """Return Table 3's: keys ``stage3``, ``stage4``, ``stage5``."""
    others = [err["stage3"], err["stage5"]]
    return [
        _conclude(
            "features of stage 4 are better than those of stages 3 and 5",
            [other - err["stage4"] for other in others],
            f"{_deg(err['stage4'])} against {_list(map(_deg, others))}",
            _ERR,
        )
    ]


def dependence(err: Numbers) -> list[Conclusion]:
    """Return Table 4's: ``dependent``, ``independent12``, ``independent5``, ``independent1``."""
    others = [err[f"independent{n}"] for n in (12, 5, 1)]
    return [
        _conclude(
            "a pose network a category is better than one for all, of any size",
            [other - err["dependent"] for other in others],
            f"{_deg(err['dependent'])} against {_list(map(_deg, others))}",
            _ERR,
        )
    ]


def rendered_images(err: Numbers, acc: Numbers) -> list[Conclusion]:
    """Return Table 5's: keys ``weighted``, ``top1``, ``rendered_weighted``, ``rendered_top1``."""
    before_after = {rule: (rule, f"rendered_{rule}") for rule in _RULES}
    return [
        _falls("rendered images in the pose steps lower pose-err", err, before_after),
        _rises("and raise cat-acc", acc, before_after),
        fusions_alike(err),
    ]


def fusions_alike(err: Numbers) -> Conclusion:
    """Return Sec. 3.2's, of networks trained with ``weighted`` and ``top1`` fusion."""
    low, high = sorted((err["weighted"], err["top1"]))
    return _conclude(
        "weighted and top1 fusion do not differ much in pose-err (Sec. 3.2; here: 10%)",
        [COMPARABLE * low - high],
        f"{_deg(err['weighted'])} and {_deg(err['top1'])}",
        _ERR,
    )


def against_shared(err: Numbers, acc: Numbers) -> list[Conclusion]:
    """Return Table 6's: keys ``shared``, ``weighted``, ``top1``."""
    ours, accs = [err[rule] for rule in _RULES], [acc[rule] for rule in _RULES]
    return [
        _conclude(
            "the integrated network's pose-err is lower than [8]*'s",
            [err["shared"] - one for one in ours],
            f"{_list(map(_deg, ours))} against {_deg(err['shared'])}",
            _ERR,
        ),
        _conclude(
            "its cat-acc is at most marginally worse (here: less than 0.02)",
            [one - (acc["shared"] - MARGIN) for one in accs],
            f"{_list(map(_share, accs))} against {_share(acc['shared'])}",
            _ACC,
        ),
    ]


def shares(rows: Mapping[str, Mapping[str, PublishedShare]]) -> list[Conclusion]:
    """Return Table 7's: errors of ``rotation`` and ``azimuth``, of three networks each."""
    names = {"P%(<22.5)": "within_22_5", "P%(<45)": "within_45", "AAAI": "aaai"}
    found = []
    for error, of in rows.items():
        pairs = {
            name: ([getattr(of[rule], key) for rule in _RULES], getattr(of["shared"], key))
            for name, key in names.items()
        }
        words = (f"{n} {_list(map(_share, a))} against {_share(b)}" for n, (a, b) in pairs.items())
        found.append(
            _conclude(
                f"the integrated network is better than [8]* by every measure of the {error}",
                [one - other for ours, other in pairs.values() for one in ours],
                "; ".join(words),
            )
        )
    return found


def known_category(err: Numbers) -> list[Conclusion]:
    """Return Table 8's: ``weighted``, ``top1``, and ``known``: told the category (step 3)."""
    ours = min(err["weighted"], err["top1"])
    return [
        _conclude(
            "the joint networks are competitive with one that is told the category (here: at most "
            f"{COMPETITIVE:g} times its pose-err; the paper: 1.22 times the best one's)",
            [COMPETITIVE * err["known"] - ours],
            f"{_deg(ours)} against {_deg(err['known'])}",
            _ERR,
        )
    ]


def architectures(err: Numbers, acc: Numbers, size: Numbers) -> list[Conclusion]:
    """Return Table 9's.

    Args:
        err: By ``weighted``, ``top1``, ``shared`` and ``sequential_everything``, ``_fc`` and
            ``_fc_stage5``.
        acc: The same keys.
        size: Parameters, the same keys.
    """
    tuned = [key for key in err if key.startswith("sequential")]
    ours = [err[rule] for rule in _RULES]
    best, mine = min(err[key] for key in tuned), min(ours)
    top, my_acc = max(acc[key] for key in tuned), max(acc[rule] for rule in _RULES)
    larger = size["sequential_everything"] / size["weighted"]
    return [
        _conclude(
            "integrated networks are better than the shared one",
            [err["shared"] - one for one in ours],
            f"pose-err {_list(map(_deg, ours))} against {_deg(err['shared'])}",
            _ERR,
        ),
        _conclude(
            "they are comparable with sequential ones in pose-err (here: 10%)",
            [COMPARABLE * best - mine],
            f"{_deg(mine)} against {_deg(best)}",
            _ERR,
        ),
        _conclude(
            "slightly worse than the best of them in cat-acc (here: by less than 0.02)",
            [my_acc - (top - MARGIN), top - my_acc],
            f"{_share(my_acc)} against {_share(top)}",
            _ACC,
        ),
        _conclude(
            "and cheaper",
            [larger - 1.0],
            f"a sequential one has {larger:.2f} times the parameters",
        ),
    ]


def protocols(err: Numbers, acc: Numbers) -> list[Conclusion]:
    """Return Table 10's: keys ``weighted``, ``top1``, ``balanced_weighted``, ``balanced_top1``."""
    pairs = {rule: (f"balanced_{rule}", rule) for rule in _RULES}
    claim = "pose-first is better than balanced in"
    return [_falls(f"{claim} pose-err", err, pairs), _rises(f"{claim} cat-acc", acc, pairs)]


def joint_step(err: Numbers, acc: Numbers) -> list[Conclusion]:
    """Return Table 11's.

    Args:
        err: By ``before_weighted``, ``before_top1``, ``balanced_weighted``, ``balanced_top1``.
        acc: By ``before``, ``balanced_weighted``, ``balanced_top1``.
    """
    pose = {rule: (f"before_{rule}", f"balanced_{rule}") for rule in _RULES}
    category = {rule: (f"balanced_{rule}", "before") for rule in _RULES}
    paid = _rises("at the cost of cat-acc", acc, category)
    told = _each({rule: (acc["before"], acc[f"balanced_{rule}"]) for rule in _RULES}, _share)
    return [
        _falls("the joint step of the balanced training lowers pose-err", err, pose),
        replace(paid, figures=told),
    ]


def weights_of_category(err: Numbers, acc: Numbers) -> list[Conclusion]:
    """Return Table 12's: keys ``weighted``, ``top1``, ``lambda1_weighted``, ``lambda1_top1``."""
    pairs = {rule: (f"lambda1_{rule}", rule) for rule in _RULES}
    claim = "lambda 0.1 is better than 1 in"
    return [_falls(f"{claim} pose-err", err, pairs), _rises(f"{claim} cat-acc", acc, pairs)]


def more_labels(err: Numbers) -> list[Conclusion]:
    """Return Table 13's: pose-err by ``top1``, ``top2``, ``top3`` and ``oracle``."""
    several = [err["top2"], err["top3"]]
    return [
        _conclude(
            "the true category's pose-err is higher than the best of the top 2 or 3",
            [err["oracle"] - one for one in several],
            f"{_deg(err['oracle'])} against {_list(map(_deg, several))}",
            _ERR,
        ),
        _conclude(
            "knowing the category lowers pose-err",
            [err["top1"] - err["oracle"]],
            f"{_deg(err['oracle'])} against {_deg(err['top1'])}",
            _ERR,
        ),
    ]


def least(what: str, err: Numbers) -> str:
    """Return a sentence that orders our own variants, the best first; those without a number last.

    Args:
        what: Of what they are.
        err: Pose-err by name.
    """
    order = sorted(err, key=lambda name: math.inf if math.isnan(err[name]) else err[name])
    return f"{what}, the best first: " + ", ".join(f"{name} ({_deg(err[name])})" for name in order)


def _falls(claim: str, err: Numbers, pairs: Mapping[str, tuple[str, str]]) -> Conclusion:
    """Return whether pose-err falls from the first to the second of every pair of keys."""
    values = {name: (err[first], err[second]) for name, (first, second) in pairs.items()}
    return _conclude(claim, [a - b for a, b in values.values()], _each(values, _deg), _ERR)


def _rises(claim: str, acc: Numbers, pairs: Mapping[str, tuple[str, str]]) -> Conclusion:
    """Return whether cat-acc rises from the first to the second of every pair of keys."""
    values = {name: (acc[first], acc[second]) for name, (first, second) in pairs.items()}
    return _conclude(claim, [b - a for a, b in values.values()], _each(values, _share), _ACC)


def _conclude(claim: str, margins: Sequence[float], figures: str, metric: str = "") -> Conclusion:
    """Return a conclusion that holds where every margin is positive."""
    known = all(math.isfinite(margin) for margin in margins)
    return Conclusion(claim, min(margins) if known else math.nan, figures, metric)


def _deg(value: float) -> str:
    return f"{value:.2f} deg" if math.isfinite(value) else "no number"


def _share(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "no number"


def _list(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _each(pairs: Mapping[str, tuple[float, float]], words: Callable[[float], str]) -> str:
    return ", ".join(f"{name} {words(a)} to {words(b)}" for name, (a, b) in pairs.items())
