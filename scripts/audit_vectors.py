"""Reference values for the bounds of a one-run audit, by other means than the TypeScript implementation.

- oneRun: the chance bound of Steinke, Nasr and Jagielski 2023 (Corollary 5.4), by exact sums with 60 digits (mpmath).
- curve: the largest chance of `correct` right guesses that the inequalities of Mahloujifar, Melis and Chaudhuri 2025 allow,
  as a linear program over the distribution of the number of right guesses (scipy, HiGHS). The implementation walks instead.

Run from the repository root:  python3 scripts/audit_vectors.py
Writes packages/core/src/privacy-audit/vectors/bounds.json
"""

import json
from pathlib import Path

import numpy as np
from mpmath import binomial, exp, mp, mpf
from scipy.optimize import linprog

TARGET = Path(__file__).resolve().parent.parent / "packages/core/src/privacy-audit/vectors/bounds.json"
mp.dps = 60

ONE_RUN = [
    # canaries, guesses, correct, epsilon, delta
    (100, 100, 75, 1.0986122886681098, 0.0),
    (100, 100, 75, 0.5, 1e-4),
    (1000, 100, 75, 0.6, 1e-4),
    (1000, 1000, 560, 0.1, 1e-6),
    (5000, 300, 300, 4.0, 1e-5),
    (5000, 300, 300, 4.5, 0.0),
    (2000, 800, 640, 1.2, 1e-5),
    (50, 20, 1, 2.0, 1e-3),
    (50, 20, 0, 2.0, 1e-3),
    (1, 1, 1, 3.0, 0.0),
]

CURVES = [
    [(0.0, 0.0)],
    [(1.0, 0.0)],
    [(2.0, 1e-3)],
    [(1.0, 1e-2), (0.0, 0.2), (2.0, 1e-4)],
    [(0.0, 0.4), (0.5, 0.25), (1.0, 0.14), (2.0, 0.03), (3.0, 4e-3)],
]
COUNTS = [(20, 20, 16), (40, 20, 18), (60, 30, 30), (60, 40, 25), (30, 12, 12), (25, 10, 3)]


def one_run(canaries, guesses, correct, epsilon, delta):
    right = 1 / (1 + exp(-mpf(epsilon)))
    chance = [binomial(guesses, k) * right**k * (1 - right) ** (guesses - k) for k in range(guesses + 1)]
    tail = [sum(chance[v:]) for v in range(guesses + 1)]
    steepest = max([(tail[max(correct - i, 0)] - tail[correct]) / i for i in range(1, canaries + 1)])
    return float(min(1, tail[correct] + 2 * canaries * mpf(delta) * steepest))


def curve_bound(points, canaries, guesses, correct):
    """max P[W >= correct] with g(R_k) <= H_(k-1) for all k; g is the largest of linear functions."""
    j = np.arange(guesses + 1)
    rows, limits = [], []
    for k in range(1, guesses + 1):
        right = np.where(j >= k, j, 0) / canaries
        wrong = np.where(j >= k - 1, guesses - j, 0) / canaries
        for epsilon, delta in points:
            growth = np.exp(epsilon)
            rows.append(right / growth - wrong)
            limits.append(delta / growth)
            rows.append(right * growth - wrong)
            limits.append(delta + growth - 1)
    answer = linprog(
        -(j >= correct).astype(float), A_ub=rows, b_ub=limits, A_eq=[np.ones(guesses + 1)], b_eq=[1], method="highs"
    )
    assert answer.success, answer.message
    return -answer.fun


def main():
    vectors = {
        "oneRun": [
            dict(canaries=m, guesses=r, correct=v, epsilon=e, delta=d, pValue=one_run(m, r, v, e, d))
            for m, r, v, e, d in ONE_RUN
        ],
        "curve": [
            dict(
                curve=[dict(epsilon=e, delta=d) for e, d in points],
                canaries=m,
                guesses=c,
                correct=v,
                pValue=curve_bound(points, m, c, v),
            )
            for points in CURVES
            for m, c, v in COUNTS
        ],
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(vectors, indent=1) + "\n")


main()
