"""Whether the method's conclusions hold for measured numbers; each is worked out, never written."""

from __future__ import annotations

from collections.abc import Mapping

from sightline.app.papers.paper003.published import TABLE_9

Numbers = Mapping[str, float]
Spreads = Mapping[tuple[str, str], float]

#: "Did not improve": AbsRel that falls by less than this share (the report's mean: 0.6%).
NO_GAIN = 0.02


def ablation(err: Numbers, spread: Spreads) -> list[str]:
    """Return Table 9's conclusions.

    Args:
        err: Mean AbsRel of ``labelled``, ``unlabelled``, ``perturbed``, ``aligned``, ``teacher``,
            ``constant``, ``row_mean``.
        spread: By two of them, how far the choice of the test scenes moves their difference.
    """
    paper = {key: sum(map(float, cells)) / len(cells) for key, cells in TABLE_9.items()}
    gain = err["labelled"] - err["unlabelled"]
    naive = "pseudo-labels alone (L_u) hardly improve on L_l (here: by less than 2%)"
    said = [
        _verdict(naive, NO_GAIN * err["labelled"] - gain, spread["labelled", "unlabelled"],
                 _figures(err, "labelled", "unlabelled"), paper, ("labelled", "unlabelled")),
        _less("perturbations (S) improve on L_u alone", err, spread, paper,
              "unlabelled", "perturbed"),
        _less("feature alignment (L_feat) improves further", err, spread, paper,
              "perturbed", "aligned"),
        _less("all together improve on L_l", err, spread, paper, "labelled", "aligned"),
        _less("the student beats the teacher that labelled for it, at the same cost", err, spread,
              {}, "teacher", "aligned"),
    ]  # fmt: skip
    better = min(err["constant"], err["row_mean"])
    said.append(
        f"the better predictor that never looks has {better / err['aligned']:.1f} times the AbsRel "
        f"of the last row ({better:.4f} against {err['aligned']:.4f})"
    )
    return said


def _less(
    claim: str, err: Numbers, spread: Spreads, paper: Numbers, before: str, after: str
) -> str:
    margin = err[before] - err[after]
    pair = before, after
    return _verdict(claim, margin, spread[pair], _figures(err, *pair), paper, pair)


def _figures(err: Numbers, before: str, after: str) -> str:
    change = 100 * (err[after] / err[before] - 1)
    return f"{err[before]:.4f} to {err[after]:.4f}, {change:+.1f}%"


def _verdict(
    claim: str, margin: float, spread: float, figures: str, paper: Numbers, pair: tuple[str, str]
) -> str:
    verdict = "holds here" if margin > 0 else "does not hold here"
    doubt = ", by less than the choice of the test scenes does" if abs(margin) < spread else ""
    change = f"; the report {100 * (paper[pair[1]] / paper[pair[0]] - 1):+.1f}%" if paper else ""
    return f"{claim}: {verdict}{doubt}: {figures}{change} (other scenes: +-{spread:.4f})"
