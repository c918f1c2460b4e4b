"""Whether the paper's conclusions hold for measured numbers; each is worked out, never written.

Pose-err is in degrees, lower is better; cat-acc is a share of 1, higher is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sightline.app.papers.paper001.published import PublishedShare

#: "Marginally": cat-acc that differs by less (the paper so calls 0.003 to 0.007).
MARGIN = 0.02
#: "Comparable" and "no significant difference": pose-err within this ratio (the paper: 1.02).
COMPARABLE = 1.1
#: "Competitive" with a known category: the paper's own ratio to the best of Table 8 is 1.22.
COMPETITIVE = 1.25

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Conclusion:
    """One sentence of the paper, and what was measured.

    Attributes:
        claim: What the paper says.
        holds: Whether it is so here; None where a number is missing.
        figures: The numbers, in words.
    """

    claim: str
    holds: bool | None
    figures: str

    def to_text(self) -> str:
        """Return the sentence."""
        if self.holds is None:
            return f"{self.claim}: cannot be told here: {self.figures}"
        return f"{self.claim}: {'holds' if self.holds else 'does not hold'} here: {self.figures}"


def stages(err: Numbers) -> list[Conclusion]:
    """Return Table 3's: keys ``stage3``, ``stage4``, ``stage5``."""
    others = [err["stage3"], err["stage5"]]
    return [
        _conclude(
            "features of stage 4 are better than those of stages 3 and 5",
            err["stage4"] < min(others),
            f"{_deg(err['stage4'])} against {_list(map(_deg, others))}",
            *err.values(),
        )
    ]


def dependence(err: Numbers) -> list[Conclusion]:
    """Return Table 4's: ``dependent``, ``independent12``, ``independent5``, ``independent1``."""
    others = [err[f"independent{n}"] for n in (12, 5, 1)]
    return [
        _conclude(
            "a pose network a category is better than one for all, of any size",
            err["dependent"] < min(others),
            f"{_deg(err['dependent'])} against {_list(map(_deg, others))}",
            *err.values(),
        )
    ]


def rendered_images(err: Numbers, acc: Numbers) -> list[Conclusion]:
    """Return Table 5's: keys ``weighted``, ``top1``, ``rendered_weighted``, ``rendered_top1``."""
    rules = ("weighted", "top1")
    return [
        _conclude(
            "rendered images in the pose steps lower pose-err",
            all(err[f"rendered_{rule}"] < err[rule] for rule in rules),
            _each({rule: (err[rule], err[f"rendered_{rule}"]) for rule in rules}, _deg),
            *err.values(),
        ),
        _conclude(
            "and raise cat-acc",
            all(acc[f"rendered_{rule}"] > acc[rule] for rule in rules),
            _each({rule: (acc[rule], acc[f"rendered_{rule}"]) for rule in rules}, _share),
            *acc.values(),
        ),
        fusions_alike(err),
    ]


def fusions_alike(err: Numbers) -> Conclusion:
    """Return Sec. 3.2's, of networks trained with ``weighted`` and ``top1`` fusion."""
    low, high = sorted((err["weighted"], err["top1"]))
    return _conclude(
        "weighted and top1 fusion do not differ much in pose-err (Sec. 3.2; here: 10%)",
        high <= COMPARABLE * low,
        f"{_deg(err['weighted'])} and {_deg(err['top1'])}",
        low,
        high,
    )


def against_shared(err: Numbers, acc: Numbers) -> list[Conclusion]:
    """Return Table 6's: keys ``shared``, ``weighted``, ``top1``."""
    ours, accs = [err["weighted"], err["top1"]], [acc["weighted"], acc["top1"]]
    return [
        _conclude(
            "the integrated network's pose-err is lower than [8]*'s",
            max(ours) < err["shared"],
            f"{_list(map(_deg, ours))} against {_deg(err['shared'])}",
            err["shared"],
            *ours,
        ),
        _conclude(
            "its cat-acc is only marginally worse (here: less than 0.02)",
            min(accs) > acc["shared"] - MARGIN,
            f"{_list(map(_share, accs))} against {_share(acc['shared'])}",
            acc["shared"],
            *accs,
        ),
    ]


def shares(rows: Mapping[str, Mapping[str, PublishedShare]]) -> list[Conclusion]:
    """Return Table 7's: errors of ``rotation`` and ``azimuth``, of three networks each."""
    found = []
    for error, of in rows.items():
        ours = (of["weighted"], of["top1"])
        pairs = {
            name: ([getattr(one, key) for one in ours], getattr(of["shared"], key))
            for name, key in (
                ("P%(<22.5)", "within_22_5"),
                ("P%(<45)", "within_45"),
                ("AAAI", "aaai"),
            )
        }
        words = (f"{n} {_list(map(_share, a))} against {_share(b)}" for n, (a, b) in pairs.items())
        numbers = [value for a, b in pairs.values() for value in (*a, b)]
        found.append(
            _conclude(
                f"the integrated network is better than [8]* by every measure of the {error}",
                all(min(a) > b for a, b in pairs.values()),
                "; ".join(words),
                *numbers,
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
            ours <= COMPETITIVE * err["known"],
            f"{_deg(ours)} against {_deg(err['known'])}",
            *err.values(),
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
    ours = ("weighted", "top1")
    best, mine = min(err[key] for key in tuned), min(err[key] for key in ours)
    top, my_acc = max(acc[key] for key in tuned), max(acc[key] for key in ours)
    larger = size["sequential_everything"] / size["weighted"]
    return [
        _conclude(
            "integrated networks are better than the shared one",
            max(err[key] for key in ours) < err["shared"],
            f"pose-err {_list(_deg(err[key]) for key in ours)} against {_deg(err['shared'])}",
            *err.values(),
        ),
        _conclude(
            "they are comparable with sequential ones in pose-err (here: 10%)",
            mine <= COMPARABLE * best,
            f"{_deg(mine)} against {_deg(best)}",
            *err.values(),
        ),
        _conclude(
            "slightly worse than the best of them in cat-acc (here: by less than 0.02)",
            top - MARGIN < my_acc < top,
            f"{_share(my_acc)} against {_share(top)}",
            *acc.values(),
        ),
        _conclude(
            "and cheaper",
            larger > 1,
            f"a sequential one has {larger:.2f} times the parameters",
            larger,
        ),
    ]


def protocols(err: Numbers, acc: Numbers) -> list[Conclusion]:
    """Return Table 10's: keys ``weighted``, ``top1``, ``balanced_weighted``, ``balanced_top1``."""
    rules = ("weighted", "top1")
    return [
        _conclude(
            f"pose-first is better than balanced in {what}",
            all(sign * (of[rule] - of[f"balanced_{rule}"]) > 0 for rule in rules),
            _each({r: (of[f"balanced_{r}"], of[r]) for r in rules}, words),
            *of.values(),
        )
        for what, of, sign, words in (("pose-err", err, -1, _deg), ("cat-acc", acc, 1, _share))
    ]


def joint_step(err: Numbers, acc: Numbers) -> list[Conclusion]:
    """Return Table 11's.

    Args:
        err: By ``before_weighted``, ``before_top1``, ``balanced_weighted``, ``balanced_top1``.
        acc: By ``before``, ``balanced_weighted``, ``balanced_top1``.
    """
    rules = ("weighted", "top1")
    return [
        _conclude(
            "the joint step of the balanced training lowers pose-err",
            all(err[f"balanced_{rule}"] < err[f"before_{rule}"] for rule in rules),
            _each({r: (err[f"before_{r}"], err[f"balanced_{r}"]) for r in rules}, _deg),
            *err.values(),
        ),
        _conclude(
            "at the cost of cat-acc",
            all(acc[f"balanced_{rule}"] < acc["before"] for rule in rules),
            _each({r: (acc["before"], acc[f"balanced_{r}"]) for r in rules}, _share),
            *acc.values(),
        ),
    ]


def weights_of_category(err: Numbers, acc: Numbers) -> list[Conclusion]:
    """Return Table 12's: keys ``weighted``, ``top1``, ``lambda1_weighted``, ``lambda1_top1``."""
    rules = ("weighted", "top1")
    return [
        _conclude(
            f"lambda 0.1 is better than 1 in {what}",
            all(sign * (of[rule] - of[f"lambda1_{rule}"]) > 0 for rule in rules),
            _each({r: (of[f"lambda1_{r}"], of[r]) for r in rules}, words),
            *of.values(),
        )
        for what, of, sign, words in (("pose-err", err, -1, _deg), ("cat-acc", acc, 1, _share))
    ]


def more_labels(err: Numbers) -> list[Conclusion]:
    """Return Table 13's: pose-err by ``top1``, ``top2``, ``top3`` and ``oracle``."""
    several = [err["top2"], err["top3"]]
    return [
        _conclude(
            "the true category's pose-err is higher than the best of the top 2 or 3",
            err["oracle"] > max(several),
            f"{_deg(err['oracle'])} against {_list(map(_deg, several))}",
            *err.values(),
        ),
        _conclude(
            "knowing the category lowers pose-err",
            err["oracle"] < err["top1"],
            f"{_deg(err['oracle'])} against {_deg(err['top1'])}",
            *err.values(),
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


def _conclude(claim: str, holds: bool, figures: str, *numbers: float) -> Conclusion:
    known = all(math.isfinite(number) for number in numbers)
    return Conclusion(claim, holds if known else None, figures)


def _deg(value: float) -> str:
    return f"{value:.2f} deg" if math.isfinite(value) else "no number"


def _share(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "no number"


def _list(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _each(pairs: Mapping[str, tuple[float, float]], words: Callable[[float], str]) -> str:
    return ", ".join(f"{name} {words(a)} to {words(b)}" for name, (a, b) in pairs.items())
