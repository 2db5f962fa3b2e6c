"""Agreement of returns and ranks: against tables computed elsewhere, loops written out, and what is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from world_model.metrics.agreement import (
    kolmogorov_smirnov,
    mean_maximum_rank_violation,
    normalised,
    optimism,
    pearson,
    ranks,
    regret,
    return_error,
    same_distribution,
    spearman,
    wasserstein,
)

# Success rates that SIMPLER (arXiv 2405.05941) publishes for six policies, real and in its visual matching simulator.
_SIMPLER = {
    "pick coke": ([0.907, 0.853, 0.920, 0.760, 0.133, 0.293], [0.787, 0.857, 0.710, 0.567, 0.027, 0.170]),
    "move near": ([0.733, 0.633, 0.583, 0.450, 0.017, 0.350], [0.779, 0.442, 0.354, 0.317, 0.050, 0.042]),
    "drawer": (
        np.mean([[0.333, 0.815, 0.704, 0.519, 0.0, 0.148], [0.630, 0.926, 0.889, 0.741, 0.0, 0.519]], axis=0),
        np.mean([[0.157, 0.601, 0.463, 0.296, 0.0, 0.009], [0.343, 0.861, 0.667, 0.891, 0.278, 0.444]], axis=0),
    ),
}


@pytest.mark.parametrize(
    ("task", "mmrv", "r"), [("pick coke", 0.031, 0.975), ("move near", 0.111, 0.856), ("drawer", 0.056, 0.916)]
)
def test_the_published_tables_give_the_figures_computed_from_them(task: str, mmrv: float, r: float) -> None:
    real, simulated = (np.array(each) for each in _SIMPLER[task])
    assert float(mean_maximum_rank_violation(dream=simulated, real=real)) == pytest.approx(
        mmrv, abs=6e-4
    )  # printed to three digits
    assert float(pearson(dream=simulated, real=real)) == pytest.approx(r, abs=5e-4)


def test_exchanging_dream_and_real_changes_the_rank_violation() -> None:
    """SIMPLER's README and code disagree about the order: there, 0.111 becomes 0.003. Here arguments have names."""
    real, simulated = (np.array(each) for each in _SIMPLER["move near"])
    assert float(mean_maximum_rank_violation(dream=real, real=simulated)) == pytest.approx(0.003, abs=5e-4)
    with pytest.raises(TypeError):
        mean_maximum_rank_violation(simulated, real)  # type: ignore[misc]


def _violation_by_loops(dream: np.ndarray, real: np.ndarray) -> float:
    worst = []
    for i in range(len(real)):
        pairs = [abs(real[i] - real[j]) for j in range(len(real)) if (dream[i] > dream[j]) != (real[i] > real[j])]
        worst.append(max(pairs, default=0.0))
    return float(np.mean(worst))


def test_the_rank_violation_is_that_of_the_loops_that_define_it() -> None:
    generator = np.random.default_rng(0)
    dream, real = (generator.integers(5, size=(50, 7)).astype(float) for _ in range(2))  # ties on both sides
    together = mean_maximum_rank_violation(dream=dream, real=real)
    assert together.tolist() == pytest.approx([_violation_by_loops(a, b) for a, b in zip(dream, real, strict=True)])


@pytest.mark.parametrize(("policies", "constant", "reversed_"), [(6, 0.5, 0.8), (12, 0.5, 0.77)])
def test_constant_and_reversed_dreams_have_the_known_violations(
    policies: int, constant: float, reversed_: float
) -> None:
    real = np.linspace(0, 1, policies)
    flat = mean_maximum_rank_violation(dream=np.zeros(policies), real=real)
    assert float(flat) == pytest.approx(constant, abs=1e-9)
    assert float(mean_maximum_rank_violation(dream=-real, real=real)) == pytest.approx(reversed_, abs=5e-3)


def test_the_rank_violation_has_the_unit_of_the_return() -> None:
    real, dream = np.array([0.0, 0.4, 1.0]), np.array([0.4, 0.0, 1.0])
    once = mean_maximum_rank_violation(dream=dream, real=real)
    assert float(mean_maximum_rank_violation(dream=1000 * dream, real=1000 * real)) == pytest.approx(1000 * float(once))
    assert normalised([-20.0, 0.0, 20.0], -20, 20).tolist() == [0, 0.5, 1]
    assert np.isnan(normalised([1.0], 3, 3)).all()


def test_ties_share_their_ranks_and_correlations_are_those_of_ranks() -> None:
    assert ranks(np.array([1.0, 1.0, 0.0, 5.0])).tolist() == [2.5, 2.5, 1.0, 4.0]
    generator = np.random.default_rng(1)
    dream, real = generator.normal(size=(2, 20, 8))
    by_numpy = [
        np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1] for a, b in zip(dream, real, strict=True)
    ]
    assert spearman(dream=dream, real=real).tolist() == pytest.approx(by_numpy)
    assert pearson(dream=dream, real=real).tolist() == pytest.approx(
        [np.corrcoef(a, b)[0, 1] for a, b in zip(dream, real, strict=True)], abs=1e-6
    )


def test_a_constant_dream_has_no_rank_correlation_and_an_equal_one_has_pearson_1() -> None:
    real = np.array([0.0, 0.5, 1.0])
    assert np.isnan(spearman(dream=np.ones(3), real=real))
    assert float(pearson(dream=real + 3, real=real)) == 1
    assert float(pearson(dream=np.ones(3), real=np.ones(3))) == 1


def test_error_is_a_distance_and_optimism_has_a_sign() -> None:
    real = np.array([0.0, 0.5, 1.0])
    assert float(return_error(dream=real + np.array([0.1, -0.1, 0.1]), real=real)) == pytest.approx(0.1)
    assert float(optimism(dream=real + 0.2, real=real)) == pytest.approx(0.2)
    assert float(optimism(dream=real - 0.2, real=real)) == pytest.approx(-0.2)


def test_regret_is_what_the_favourites_lack_and_ties_are_judged_at_their_worst() -> None:
    real = np.array([0.0, 0.3, 0.9, 1.0])
    assert float(regret(dream=np.array([0, 9, 8, 7.0]), real=real, k=1)) == pytest.approx(0.7)
    assert float(regret(dream=np.array([0, 9, 8, 7.0]), real=real, k=2)) == pytest.approx(0.1)
    assert float(regret(dream=np.array([0, 9, 8, 7.0]), real=real, k=3)) == 0
    assert float(regret(dream=np.zeros(4), real=real, k=1)) == 1
    with pytest.raises(ValueError, match="k is 0"):
        regret(dream=real, real=real, k=0)


def test_distances_of_distributions_are_those_by_hand() -> None:
    assert wasserstein([0, 1, 3], [5, 6, 8]) == pytest.approx(5)
    assert wasserstein([0, 0, 0, 4], [0, 4]) == pytest.approx(1)  # a quarter of the mass goes 4 far
    assert kolmogorov_smirnov([1, 2, 3, 4], [3, 4, 5, 6]) == pytest.approx(0.5)
    generator = np.random.default_rng(2)
    one, other = generator.normal(size=(2, 50))
    assert wasserstein(one, other) == pytest.approx(np.abs(np.sort(one) - np.sort(other)).mean())


def test_a_permutation_test_rejects_as_often_as_it_says_even_with_ties() -> None:
    """At 5 %, 200 tests of equal distributions reject 10 times; 24 or more come once in ten thousand runs."""
    generator = np.random.default_rng(3)
    p = [same_distribution(*generator.integers(-3, 4, size=(2, 12)), draws=99, seed=k) for k in range(200)]
    assert (np.array(p) <= 0.05).sum() < 24
    assert same_distribution(np.zeros(12), np.ones(12)) < 0.01
