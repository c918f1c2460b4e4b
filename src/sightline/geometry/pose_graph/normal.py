"""Normal equations of many terms over few unknowns each: assembled by index, solved sparse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solveh_banded
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from sightline.geometry.pose_graph.graph import Rows
from sightline.geometry.rotation import Array

#: Up to this distance from the diagonal a banded Cholesky factorisation is the faster one.
_BAND = 200

#: An unknown that is not there: terms that name it leave it out.
ABSENT = -1


class NormalEquations:
    """``(J^T J + D) x = -J^T r`` for terms whose unknowns stay the same while their values change.

    Videos tie frames to near ones: in the order of the frames all entries lie near the diagonal,
    and a banded Cholesky factorisation takes time and memory linear in the frames. With far ties
    (loops) a sparse LU factorisation is taken.
    """

    def __init__(self, columns: Sequence[Rows], size: int) -> None:
        """Plan where each term's products go.

        Args:
            columns: For each kind of term, (B, w) its unknowns; ``ABSENT`` for none.
            size: How many unknowns there are.
        """
        self.size = size
        self._columns = [np.where(c == ABSENT, size, c) for c in columns]
        first = [np.repeat(c[:, :, None], c.shape[1], axis=2).ravel() for c in self._columns]
        second = [np.repeat(c[:, None, :], c.shape[1], axis=1).ravel() for c in self._columns]
        rows, cols = np.concatenate(first), np.concatenate(second)
        self._lower = (rows >= cols) & (rows < size)
        rows, cols = rows[self._lower], cols[self._lower]
        self._band = int((rows - cols).max(initial=0))
        # LAPACK's banded storage, its columns one behind the other.
        self._at = cols * (self._band + 1) + (rows - cols)
        self._rows, self._cols = rows, cols

    def assemble(self, terms: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
        """Return the lower triangle's products, as planned, and the gradient.

        Args:
            terms: For each kind, (B, r, q) residuals and (B, r, w) derivatives; q right-hand sides.

        Returns:
            (E,) values and (size, q) ``J^T r``.
        """
        products = [np.einsum("bri,brj->bij", j, j, optimize=True).ravel() for _, j in terms]
        width = terms[0][0].shape[-1]
        gradient = np.zeros((self.size + 1, width))
        for columns, (residual, jacobian) in zip(self._columns, terms, strict=True):
            slopes = np.einsum("bri,brq->biq", jacobian, residual, optimize=True)
            for k in range(width):
                weights = slopes[..., k].ravel()
                gradient[:, k] += np.bincount(columns.ravel(), weights, self.size + 1)
        return np.concatenate(products)[self._lower], gradient[: self.size]

    def diagonal(self, values: Array) -> Array:
        """Return (size,) the diagonal of the assembled values."""
        on = self._rows == self._cols
        diagonal = np.bincount(self._cols[on], values[on], self.size)
        return diagonal.astype(np.float64)

    def solve(self, values: Array, right: Array, added: Array) -> Array | None:
        """Return (size, q) x of ``(H + diag(added)) x = right``; None where H is not definite."""
        if self._band <= _BAND:
            wide = self._band + 1
            banded = np.bincount(self._at, values, wide * self.size).reshape(self.size, wide).T
            banded[0] += added
            try:
                solution: Array = solveh_banded(
                    banded, right, lower=True, overwrite_ab=True, check_finite=False
                )
            except LinAlgError:
                return None
            return solution
        return self._by_lu(values, right, added)

    def _by_lu(self, values: Array, right: Array, added: Array) -> Array | None:
        below = self._rows > self._cols
        every = np.arange(self.size)
        rows = np.concatenate([self._rows, self._cols[below], every])
        cols = np.concatenate([self._cols, self._rows[below], every])
        entries = np.concatenate([values, values[below], added])
        matrix = csc_array((entries, (rows, cols)), shape=(self.size, self.size))
        try:
            factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        except RuntimeError:  # exactly singular
            return None
        solution: Array = factors.solve(right)
        return solution if np.isfinite(solution).all() else None


def step_columns(starts: Rows, width: int) -> NDArray[np.int64]:
    """Return (N, width) consecutive unknowns from each start; ``ABSENT`` starts stay so."""
    columns = starts[:, None] + np.arange(width)
    return np.where(starts[:, None] == ABSENT, ABSENT, columns)
