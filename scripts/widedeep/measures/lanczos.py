"""Lanczos' method for many matrices at once, such as the covariances of all layers of a network.

The vectors stay on the device. The host reads two numbers of each matrix once a step, those of all matrices together.
"""

import numpy as np
import torch
from torch.nn import functional


class Lanczos:
    """Largest eigenvalues and their eigenvectors of several symmetric positive semidefinite matrices of one size.

    The matrices are known by their products with vectors alone. `solve` makes the steps.

    Args:
        start: (matrices, p) vectors to start from, on the device that computes.
        tolerance: relative residual ||Av - lambda v|| / lambda below which a matrix is done.
        most_steps: number of steps after which it is done whatever the residual.

    Attributes:
        active: list of positions of the matrices that still take steps, in the order of `vectors`. A few of them may be
            done already: they leave when half of all can.
        done: set of positions of the matrices that are done.
        vectors: (active, p), the vectors to multiply next.
        residual: (matrices,) float64 numpy array of relative residuals; NaN for a matrix that is zero or not finite.
        eigenvectors: (matrices, p) unit vectors of the matrices that are done.
    """

    def __init__(self, start, tolerance, most_steps):
        matrices, size = start.shape
        self.tolerance, self.most_steps = tolerance, most_steps
        self.active, self.done = list(range(matrices)), set()
        self.residual = np.full(matrices, np.nan)
        self.eigenvectors = torch.zeros_like(start)
        self._basis = start.new_empty(matrices, most_steps, size)
        self._basis[:, 0] = functional.normalize(start, dim=1)
        self.steps = 0
        # Diagonals of the tridiagonal matrices, and those beside them, (steps, active) each.
        self._alpha = self._beta = np.empty((0, matrices))

    @property
    def vectors(self):
        return self._basis[:, self.steps]

    @property
    def finished(self):
        return len(self.done) == len(self.residual)

    def extend(self, products):
        """Extend the basis by the products of the matrices with `vectors`; nothing is read back.

        Args:
            products: (active, p), in the type in which lengths are computed.

        Returns:
            (2, active) tensor: the next numbers on the diagonals of the tridiagonal matrices, and beside them
        """
        alpha = (products * self.vectors).sum(dim=1)
        length = products.norm(dim=1)
        # Unit length, so that no square leaves the range of float32.
        unit = products / length.clamp_min(torch.finfo(length.dtype).tiny)[:, None]
        rest = unit.to(self._basis.dtype)[:, :, None]
        self.steps += 1
        known = self._basis[:, : self.steps]
        for _ in range(2):  # orthogonalised once, rounding errors grow into copies of the eigenvalue
            rest = rest - known.mT @ (known @ rest)
        left = rest[:, :, 0].norm(dim=1)
        if self.steps < self.most_steps:
            # Nothing left makes this NaN. Then the residual is zero and the matrix done.
            self._basis[:, self.steps] = rest[:, :, 0] / left[:, None]
        return torch.stack([alpha, left * length])

    def settle(self, numbers):
        """Find the matrices that are done, from the numbers that `extend` returned, as a float64 numpy array."""
        self._alpha, self._beta = np.vstack([self._alpha, numbers[0]]), np.vstack([self._beta, numbers[1]])
        open_rows = [row for row, position in enumerate(self.active) if position not in self.done]
        values, vectors = _largest(self._alpha[:, open_rows].T, self._beta[:-1, open_rows].T)
        with np.errstate(invalid="ignore", divide="ignore"):
            residual = np.abs(self._beta[-1, open_rows] * vectors[:, -1]) / np.where(values > 0, values, np.nan)
        # `not >` is true for NaN too.
        ends = [not one > self.tolerance or self.steps == self.most_steps for one in residual]
        self.residual[[self.active[row] for row in open_rows]] = residual
        rows = [row for row, end in zip(open_rows, ends, strict=True) if end]
        if rows:
            positions = [self.active[row] for row in rows]
            parts = torch.from_numpy(vectors[ends].astype(torch.finfo(self._basis.dtype).dtype)).to(self._basis.device)
            self.eigenvectors[positions] = (parts[:, None] @ self._basis[rows, : self.steps])[:, 0]
            self.done.update(positions)
        if 2 * (len(self.residual) - len(self.done)) <= len(self.active) and not self.finished:
            self._leave()

    def _leave(self):
        """Drop the matrices that are done from the work."""
        rows = [row for row, position in enumerate(self.active) if position not in self.done]
        kept = self._basis[rows, : self.steps + 1]
        self._basis = kept.new_empty(len(rows), *self._basis.shape[1:])
        self._basis[:, : self.steps + 1] = kept
        self.active = [self.active[row] for row in rows]
        self._alpha, self._beta = self._alpha[:, rows], self._beta[:, rows]


def solve(solvers, multiply):
    """Run several Lanczos in step until all of their matrices are done.

    Args:
        solvers: list of Lanczos.
        multiply: function of a list of Lanczos that returns the products of the matrices of each with its `vectors`,
            (active, p) each.
    """
    running = list(solvers)
    while running:
        numbers = [solver.extend(part) for solver, part in zip(running, multiply(running), strict=True)]
        read = torch.cat(numbers, dim=1).cpu().numpy().astype(np.float64)  # waits for the device, once for all
        ends = np.cumsum([len(solver.active) for solver in running])[:-1]
        for solver, part in zip(running, np.split(read, ends, axis=1), strict=True):
            solver.settle(part)
        running = [solver for solver in running if not solver.finished]


def _largest(diagonals, beside):
    """Largest eigenvalues (matrices,) and their eigenvectors (matrices, k) of tridiagonal matrices; NaN if not finite.

    Args:
        diagonals: (matrices, k).
        beside: (matrices, k - 1).
    """
    matrices, k = diagonals.shape
    full, at = np.zeros((matrices, k, k)), np.arange(k)
    full[:, at, at] = diagonals
    full[:, at[1:], at[:-1]] = beside  # eigh reads the lower triangle
    finite = np.isfinite(full).all(axis=(1, 2))
    full[~finite] = 0
    values, vectors = np.linalg.eigh(full)
    return np.where(finite, values[:, -1], np.nan), np.where(finite[:, None], vectors[:, :, -1], np.nan)
