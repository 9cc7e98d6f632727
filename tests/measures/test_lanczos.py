"""Lanczos' method for many matrices at once against eigenvalue decompositions in float64."""

import numpy as np
import pytest
import torch
from test_on_device import matrix

from widedeep.measures.lanczos import Lanczos, solve


def solved(matrices, tolerance=1e-9, most_steps=None, dtype=torch.float64, calls=None):
    """A Lanczos that is done with (n, n) matrices."""
    stack = torch.from_numpy(np.stack(matrices)).to(dtype)
    n = stack.shape[1]
    start = torch.randn(len(stack), n, generator=torch.Generator().manual_seed(0), dtype=dtype)
    solver = Lanczos(start, tolerance, most_steps or n)

    def multiply(running):
        assert running == [solver]
        if calls is not None:
            calls.append(list(solver.active))
        return [(stack[solver.active] @ solver.vectors[:, :, None])[:, :, 0].double()]

    solve([solver], multiply)
    return solver


SPECTRA = {
    "rank one": np.r_[1, np.zeros(19)],
    "rank two": np.r_[1, 0.5, np.zeros(18)],
    "equal": np.ones(20),
    "slow": np.linspace(1, 0, 20),
    "close": np.r_[1, 0.9999, np.linspace(0.9, 0, 18)],
    "fast": 0.5 ** np.arange(20),
}


@pytest.mark.parametrize("scale", [1e-12, 1, 1e12])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_eigenvectors_are_those_of_the_decomposition(spectrum, scale):
    matrices = [matrix(scale * SPECTRA[spectrum], seed)[0] for seed in range(5)]
    solver = solved(matrices)
    assert (solver.residual <= 1e-9).all()
    for one, vector in zip(matrices, solver.eigenvectors.numpy(), strict=True):
        largest = np.linalg.eigvalsh(one)[-1]
        assert np.linalg.norm(vector) == pytest.approx(1)
        assert vector @ one @ vector == pytest.approx(largest, rel=1e-12)
        assert np.linalg.norm(one @ vector - largest * vector) < 1e-8 * largest


def test_the_residual_is_that_of_the_eigenvalue_equation():
    """Also where too few steps were allowed."""
    matrices = [matrix(SPECTRA["slow"], seed)[0] for seed in range(4)]
    for steps in (1, 3, 7):
        solver = solved(matrices, most_steps=steps)
        for one, vector, residual in zip(matrices, solver.eigenvectors.numpy(), solver.residual, strict=True):
            value = vector @ one @ vector
            assert residual == pytest.approx(np.linalg.norm(one @ vector - value * vector) / value, rel=1e-6)
            assert residual > 1e-9


def test_float32_vectors_reach_the_rounding_of_their_products():
    matrices = [matrix(SPECTRA["close"], seed)[0] for seed in range(3)]
    for one, vector in zip(matrices, solved(matrices, 1e-5, dtype=torch.float32).eigenvectors, strict=True):
        vector = vector.double().numpy()
        assert vector @ one @ vector == pytest.approx(1, rel=1e-5)


def test_matrices_that_are_zero_or_not_finite_have_no_eigenvector_and_spoil_no_other():
    good = matrix(SPECTRA["slow"])[0]
    solver = solved([np.zeros((20, 20)), good, np.full((20, 20), np.nan), np.full((20, 20), np.inf)])
    assert np.isnan(solver.residual).tolist() == [True, False, True, True]
    alone = solved([good]).eigenvectors[0].numpy()
    assert abs(solver.eigenvectors[1].numpy() @ alone) == pytest.approx(1)


def test_products_that_stop_being_finite_end_a_matrix():
    solver = Lanczos(torch.ones(2, 20, dtype=torch.float64), 1e-9, 20)
    one = torch.from_numpy(matrix(SPECTRA["slow"])[0])

    def multiply(_):
        products = solver.vectors @ one
        if solver.steps and 0 in solver.active:
            products[0] = torch.nan
        return [products]

    solve([solver], multiply)
    assert np.isnan(solver.residual).tolist() == [True, False]


def test_matrices_that_are_done_leave_the_work():
    names = ["slow", "rank one", "close", "rank two", "rank one"]
    calls = []
    solver = solved([matrix(SPECTRA[name])[0] for name in names], calls=calls)
    assert calls[0] == [0, 1, 2, 3, 4]
    assert calls[-1] in ([0], [2], [0, 2])
    assert solver.done == {0, 1, 2, 3, 4}
