"""The mixture against plain references: eqs. (8)-(11), its two rules, and its gradients.

References loop over components and pixels in NumPy and take the density from SciPy; they
share no expression with the library.
"""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from lren_tf.latent.mixture import (
    Mixture,
    first_bad_component,
    mixture_energy,
    mixture_loss,
    mixture_statistics,
)

FLOOR = 1e-6
EMPTY = 1e-10


def samples(n=200, l=4, k=3, seed=0, dtype=np.float64):
    """Latent samples of correlated dimensions, and soft assignments."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, l)) @ rng.normal(size=(l, l)) + rng.normal(size=l)
    logits = 2 * rng.normal(size=(n, k))
    beta = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return z.astype(dtype), beta.astype(dtype)


def brute_force(z, beta):
    """Eqs. (9)-(11), one pixel and component at a time."""
    n, dimensions = z.shape
    phi, mu, Gamma = [], [], []
    for k in range(beta.shape[1]):
        mass = sum(beta[i, k] for i in range(n))
        mean = sum(beta[i, k] * z[i] for i in range(n)) / mass
        scatter = np.zeros((dimensions, dimensions))
        for i in range(n):
            scatter += beta[i, k] * np.outer(z[i] - mean, z[i] - mean)
        phi.append(mass / n)
        mu.append(mean)
        Gamma.append(scatter / mass)
    return np.array(phi), np.array(mu), np.array(Gamma)


def scipy_energy(z, phi, mu, Gamma, floor=FLOOR):
    """Eq. (8) for every sample; components of weight 0 are left out."""
    terms = [
        np.log(weight)
        + multivariate_normal(mean, cov + floor * np.eye(len(mean))).logpdf(z)
        for weight, mean, cov in zip(phi, mu, Gamma, strict=True)
        if weight > 0
    ]
    return -logsumexp(terms, axis=0)


def statistics(z, beta, empty_mass=EMPTY):
    return mixture_statistics(tf.constant(z), tf.constant(beta), empty_mass=empty_mass)


def loss(z, beta, dtype=tf.float64, **options):
    return mixture_loss(
        tf.constant(z), tf.constant(beta), dtype=dtype, empty_mass=EMPTY,
        covariance_floor=FLOOR, **options,
    )


def value_and_gradients(z, beta, energy_weight=1.0, penalty_weight=1e-2, empty_mass=EMPTY):
    z, beta = tf.constant(z), tf.constant(beta)
    with tf.GradientTape() as tape:
        tape.watch([z, beta])
        terms, _ = mixture_loss(
            z, beta, dtype=tf.float64, empty_mass=empty_mass, covariance_floor=FLOOR
        )
        total = energy_weight * terms.energy + penalty_weight * terms.penalty
    return total.numpy(), *(g.numpy() for g in tape.gradient(total, [z, beta]))


@tf.function
def traced_value(z, beta, energy_weight, penalty_weight):
    terms, _ = mixture_loss(
        z, beta, dtype=tf.float64, empty_mass=EMPTY, covariance_floor=FLOOR
    )
    return energy_weight * terms.energy + penalty_weight * terms.penalty


def value(z, beta, energy_weight=1.0, penalty_weight=1e-2):
    """The value alone, traced, for the many evaluations of finite differences."""
    weights = (tf.constant(w, tf.float64) for w in (energy_weight, penalty_weight))
    return traced_value(tf.constant(z), tf.constant(beta), *weights).numpy()


class TestStatistics:
    @pytest.mark.parametrize(("n", "l", "k"), [(200, 4, 3), (50, 1, 2), (60, 9, 7), (40, 3, 1)])
    def test_equations_9_to_11_by_brute_force(self, n, l, k):
        z, beta = samples(n, l, k)
        mixture = statistics(z, beta)
        phi, mu, Gamma = brute_force(z, beta)
        np.testing.assert_allclose(mixture.phi, phi, rtol=1e-12)
        np.testing.assert_allclose(mixture.mu, mu, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(mixture.Gamma, Gamma, rtol=1e-10, atol=1e-11)
        assert mixture.alive.numpy().all()

    def test_weights_sum_to_one(self):
        np.testing.assert_allclose(tf.reduce_sum(statistics(*samples()).phi), 1, rtol=1e-14)

    def test_covariances_are_symmetric(self):
        Gamma = statistics(*samples()).Gamma.numpy()
        np.testing.assert_allclose(Gamma, Gamma.transpose(0, 2, 1), rtol=1e-13, atol=1e-14)

    def test_the_order_of_pixels_and_components_does_not_matter(self):
        z, beta = samples()
        a, b = statistics(z, beta), statistics(z[::-1], beta[::-1, ::-1])
        for one, other in zip(a[:3], b[:3], strict=True):
            np.testing.assert_allclose(one, other[::-1], rtol=1e-10, atol=1e-12)

    def test_a_far_origin_does_not_cost_the_covariance_its_digits(self):
        # A plain E[zz] − μμ loses 12 of 16 digits here, and the Cholesky factor with them.
        z, beta = samples()
        near, far = statistics(z, beta), statistics(z + 1e6, beta)
        np.testing.assert_allclose(far.Gamma, near.Gamma, rtol=1e-6, atol=1e-8)

    def test_float32_inputs_give_float32_statistics(self):
        z, beta = samples(dtype=np.float32)
        mixture = statistics(z, beta)
        assert {part.dtype for part in mixture[:3]} == {tf.float32}
        phi, mu, Gamma = brute_force(z.astype(float), beta.astype(float))
        np.testing.assert_allclose(mixture.phi, phi, rtol=1e-5)
        np.testing.assert_allclose(mixture.mu, mu, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(mixture.Gamma, Gamma, rtol=1e-4, atol=1e-4)

    def test_an_empty_component_has_weight_0_mean_0_covariance_identity(self):
        z, beta = samples(k=3)
        beta = np.insert(beta, 1, 0.0, axis=1)
        mixture = statistics(z, beta)
        assert mixture.alive.numpy().tolist() == [True, False, True, True]
        assert mixture.phi[1] == 0
        np.testing.assert_array_equal(mixture.mu[1], np.zeros(4))
        np.testing.assert_array_equal(mixture.Gamma[1], np.eye(4))
        phi, mu, _ = brute_force(z, np.delete(beta, 1, axis=1))
        np.testing.assert_allclose(np.delete(mixture.phi, 1), phi, rtol=1e-12)
        np.testing.assert_allclose(np.delete(mixture.mu, 1, axis=0), mu, rtol=1e-10, atol=1e-12)

    def test_thresholds_far_below_float32_are_kept(self):
        # tf.cast of a Python number passes through float32, where 1e-60 is 0 and an empty
        # component divides by its mass.
        z, beta = samples()
        mixture = statistics(z, np.insert(beta, 1, 0.0, axis=1), empty_mass=1e-60)
        assert not mixture.alive[1]
        assert np.isfinite(mixture.mu).all()

    @pytest.mark.parametrize(("factor", "alive"), [(0.99, False), (1.0, True), (1.01, True)])
    def test_empty_mass_is_a_soft_count_in_pixels(self, factor, alive):
        # 64 pixels of mass 1/32 each are exactly 2 pixels.
        z, _ = samples(64)
        beta = np.full((64, 2), [1 - 1 / 32, 1 / 32])
        beta[:, 1] *= factor
        assert bool(statistics(z, beta, empty_mass=2.0).alive[1]) is alive


class TestEnergy:
    @pytest.mark.parametrize(("n", "l", "k"), [(200, 4, 3), (50, 1, 2), (60, 9, 7), (40, 3, 1)])
    def test_equation_8_is_scipys_log_density(self, n, l, k):
        z, beta = samples(n, l, k)
        mixture = statistics(z, beta)
        energy = mixture_energy(tf.constant(z), mixture, covariance_floor=FLOOR)
        assert energy.shape == (n,)
        np.testing.assert_allclose(energy, scipy_energy(z, *brute_force(z, beta)), rtol=1e-9)

    def test_samples_other_than_those_of_the_mixture(self):
        z, beta = samples()
        other = 5 + 3 * samples(seed=1)[0]
        energy = mixture_energy(tf.constant(other), statistics(z, beta), covariance_floor=FLOOR)
        np.testing.assert_allclose(energy, scipy_energy(other, *brute_force(z, beta)), rtol=1e-9)

    def test_the_floor_is_added_to_the_covariance(self):
        z, beta = samples()
        energy = mixture_energy(tf.constant(z), statistics(z, beta), covariance_floor=0.5)
        expected = scipy_energy(z, *brute_force(z, beta), floor=0.5)
        np.testing.assert_allclose(energy, expected, rtol=1e-10)
        assert np.abs(expected - scipy_energy(z, *brute_force(z, beta))).max() > 0.05

    def test_a_sample_thousands_of_deviations_away_keeps_a_finite_energy(self):
        # exp(−½·10⁸) underflows: the sum has to be taken in logarithms.
        z, beta = samples()
        far = np.full((1, 4), 1e4)
        energy = mixture_energy(tf.constant(far), statistics(z, beta), covariance_floor=FLOOR)
        np.testing.assert_allclose(energy, scipy_energy(far, *brute_force(z, beta)), rtol=1e-9)

    def test_an_empty_component_leaves_the_energy(self):
        z, beta = samples()
        with_empty = np.insert(beta, 0, 0.0, axis=1)
        np.testing.assert_allclose(
            mixture_energy(tf.constant(z), statistics(z, with_empty), covariance_floor=FLOOR),
            mixture_energy(tf.constant(z), statistics(z, beta), covariance_floor=FLOOR),
            rtol=1e-13,
        )

    def test_a_collapsed_component_is_a_gaussian_of_variance_floor(self):
        z, _ = samples()
        z[:20] = z[0]
        beta = np.zeros((200, 2))
        beta[:20, 0] = beta[20:, 1] = 1.0
        mixture = statistics(z, beta)
        # To rounding of the moments, a billionth of the floor's share.
        np.testing.assert_allclose(mixture.Gamma[0], np.zeros((4, 4)), atol=1e-13)
        energy = mixture_energy(tf.constant(z), mixture, covariance_floor=FLOOR)
        expected = -np.log(0.1) - multivariate_normal(z[0], FLOOR * np.eye(4)).logpdf(z[0])
        np.testing.assert_allclose(energy[:20], np.full(20, expected), rtol=1e-6)


class TestLoss:
    @pytest.mark.parametrize(("dtype", "rtol"), [(tf.float64, 1e-10), (tf.float32, 1e-4)])
    def test_the_energy_is_the_mean_over_pixels(self, dtype, rtol):
        z, beta = samples(dtype=np.float32)
        terms, mixture = loss(z, beta, dtype=dtype)
        phi, mu, Gamma = brute_force(z.astype(float), beta.astype(float))
        assert terms.energy.dtype == terms.penalty.dtype == mixture.mu.dtype == dtype
        expected = scipy_energy(z.astype(float), phi, mu, Gamma).mean()
        np.testing.assert_allclose(terms.energy, expected, rtol=rtol)
        np.testing.assert_allclose(mixture.mu, mu, rtol=1e-4, atol=1e-5)

    def test_the_penalty_sums_inverse_variances(self):
        z, beta = samples()
        _, _, Gamma = brute_force(z, beta)
        expected = (1 / np.diagonal(Gamma, axis1=1, axis2=2)).sum()
        np.testing.assert_allclose(loss(z, beta)[0].penalty, expected, rtol=1e-10)

    def test_the_penalty_can_be_left_out(self):
        z, beta = samples()
        without, full = loss(z, beta, with_penalty=False)[0], loss(z, beta)[0]
        assert without.penalty == 0
        assert without.energy == full.energy

    def test_an_empty_component_leaves_the_penalty(self):
        z, beta = samples()
        np.testing.assert_allclose(
            loss(z, np.insert(beta, 3, 0.0, axis=1))[0].penalty, loss(z, beta)[0].penalty,
            rtol=1e-13,
        )

    def test_a_variance_below_the_floor_counts_as_the_floor(self):
        z, _ = samples()
        z[:20] = z[0]
        beta = np.zeros((200, 2))
        beta[:20, 0] = beta[20:, 1] = 1.0
        _, _, Gamma = brute_force(z, beta)
        expected = 4 / FLOOR + (1 / np.diagonal(Gamma[1])).sum()
        np.testing.assert_allclose(loss(z, beta)[0].penalty, expected, rtol=1e-12)


def directional(function, x, direction, step):
    """Fourth-order central difference of a scalar function along a direction."""
    f = {s: function(x + s * step * direction) for s in (-2, -1, 1, 2)}
    return (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * step)


class TestGradients:
    """Through eqs. (8)-(11) together: mean, covariance and factor all depend on z and β."""

    @pytest.mark.parametrize(("energy", "penalty"), [(1.0, 0.0), (0.0, 1.0), (0.1, 1e-2)])
    def test_every_entry_by_finite_differences(self, energy, penalty):
        z, beta = samples(n=12, l=3, k=2)

        def f(z, beta):
            return value(z, beta, energy, penalty)

        _, by_z, by_beta = value_and_gradients(z, beta, energy, penalty)
        for array, gradient, function in (
            (z, by_z, lambda a: f(a, beta)),
            (beta, by_beta, lambda a: f(z, a)),
        ):
            numeric = np.empty_like(array)
            for index in np.ndindex(array.shape):
                unit = np.zeros_like(array)
                unit[index] = 1.0
                numeric[index] = directional(function, array, unit, 1e-4)
            scale = np.abs(numeric).max()
            np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7 * scale)

    def test_the_papers_sizes_along_random_directions(self):
        z, beta = samples(n=150, l=9, k=7)
        _, by_z, by_beta = value_and_gradients(z, beta)
        rng = np.random.default_rng(1)
        for _ in range(3):
            dz, db = rng.normal(size=z.shape), beta * rng.normal(size=beta.shape)
            numeric = directional(
                lambda t: value(z + t * dz, beta + t * db), 0.0, 1.0, 1e-4  # noqa: B023
            )
            np.testing.assert_allclose((by_z * dz).sum() + (by_beta * db).sum(), numeric, rtol=1e-6)

    def test_shifting_all_samples_changes_nothing(self):
        # The energy does not depend on the origin, so the gradients of all pixels cancel.
        # Statistics centred with a gradient-free centre must keep this.
        z, beta = samples()
        _, by_z, _ = value_and_gradients(z + 100.0, beta)
        np.testing.assert_allclose(by_z.sum(axis=0), np.zeros(4), atol=1e-9)

    def test_an_empty_component_sends_no_gradient_and_breaks_none(self):
        z, beta = samples()
        with_empty, by_z, by_beta = value_and_gradients(z, np.insert(beta, 1, 0.0, axis=1))
        expected, z_expected, beta_expected = value_and_gradients(z, beta)
        assert with_empty == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(by_z, z_expected, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(np.delete(by_beta, 1, axis=1), beta_expected, rtol=1e-9)
        np.testing.assert_array_equal(by_beta[:, 1], np.zeros(len(z)))

    @pytest.mark.parametrize("mass", [1e-320, 1e-30, 2e-10, 1e-3])
    def test_a_nearly_empty_component_stays_finite(self, mass):
        z, beta = samples()
        beta = np.insert(beta, 1, mass / len(z), axis=1)
        for part in value_and_gradients(z, beta):
            assert np.isfinite(part).all()

    @pytest.mark.parametrize("members", [1, 20])
    def test_a_collapsed_component_stays_finite(self, members):
        z, _ = samples()
        z[:members] = z[0]
        beta = np.full((200, 2), 0.0)
        beta[:members, 0] = beta[members:, 1] = 1.0
        for part in value_and_gradients(z, beta):
            assert np.isfinite(part).all()

    def test_identical_pixels_in_every_component_stay_finite(self):
        z, beta = samples()
        for part in value_and_gradients(np.tile(z[:1], (200, 1)), beta):
            assert np.isfinite(part).all()

    def test_a_latent_space_of_lower_rank_stays_finite(self):
        z, beta = samples()
        z[:, 3] = z[:, 0] - 2 * z[:, 1]
        for part in value_and_gradients(z, beta):
            assert np.isfinite(part).all()

    def test_float32_statistics_of_a_float32_network_stay_close(self):
        z, beta = samples(dtype=np.float32)
        gradients = {}
        for dtype in (tf.float32, tf.float64):
            zt = tf.constant(z)
            with tf.GradientTape() as tape:
                tape.watch(zt)
                energy = mixture_loss(
                    zt, tf.constant(beta), dtype=dtype, empty_mass=EMPTY, covariance_floor=FLOOR
                )[0].energy
            gradients[dtype] = tape.gradient(energy, zt)
            assert gradients[dtype].dtype == tf.float32  # cast back to the network's precision
        difference = tf.reduce_max(tf.abs(gradients[tf.float32] - gradients[tf.float64]))
        assert difference < 1e-3 * tf.reduce_max(tf.abs(gradients[tf.float64]))


class TestFirstBadComponent:
    def sound(self):
        return statistics(*samples())

    def test_a_sound_mixture_has_none(self):
        assert int(first_bad_component(self.sound(), FLOOR)) == -1

    def test_collapsed_and_empty_components_are_sound(self):
        z, beta = samples()
        beta = np.insert(beta, 1, 0.0, axis=1)
        assert int(first_bad_component(statistics(np.tile(z[:1], (200, 1)), beta), FLOOR)) == -1

    @pytest.mark.parametrize("field", ["phi", "mu", "Gamma"])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_a_statistic_that_is_not_finite_is_found(self, field, bad):
        values = {name: part.numpy() for name, part in self.sound()._asdict().items()}
        values[field][1:] = bad  # components 1 and 2: the first one is named
        mixture = Mixture(**{name: tf.constant(value) for name, value in values.items()})
        assert int(first_bad_component(mixture, FLOOR)) == 1

    def test_an_indefinite_covariance_is_found(self):
        # tf.linalg.cholesky answers it with NaN and no error on the CPU.
        mixture = self.sound()
        Gamma = mixture.Gamma.numpy()
        Gamma[2] = np.diag([1.0, 1.0, 1.0, -1.0])
        bad = first_bad_component(mixture._replace(Gamma=tf.constant(Gamma)), FLOOR)
        assert bad.dtype == tf.int32
        assert int(bad) == 2

    def test_it_works_inside_a_graph(self):
        mixture = self.sound()
        broken = mixture._replace(mu=tf.where([[True], [False], [True]], np.nan, mixture.mu))
        traced = tf.function(lambda *parts: first_bad_component(Mixture(*parts), FLOOR))
        assert int(traced(*mixture)) == -1
        assert int(traced(*broken)) == 0


class TestChunks:
    """More samples than are held at once: the same mixture and energies."""

    def test_statistics_and_energies(self, monkeypatch):
        rng = np.random.default_rng(2)
        z = tf.constant(rng.normal(3, 1, (50, 4)))
        beta = tf.constant(rng.dirichlet(np.ones(3), 50))
        whole = mixture_statistics(z, beta, empty_mass=1e-10)
        energy = mixture_energy(z, whole, covariance_floor=1e-6)
        monkeypatch.setattr("lren_tf.latent.mixture.PIXELS_AT_A_TIME", 16)
        parts = mixture_statistics(z, beta, empty_mass=1e-10)
        for got, expected in zip(parts, whole, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)
        again = mixture_energy(z, whole, covariance_floor=1e-6)
        np.testing.assert_array_equal(again, energy)
