"""The dictionary rules on cases small enough to work out by hand."""

import numpy as np
import pytest

from lren_tf.latent.dictionary import (
    as_spectra,
    centroid_and_farthest,
    extreme_assignments,
    kmeans_assignments,
)

# Five pixels on a plane, three components; component 1 is nobody's largest.
Z = np.array([[0.0, 0.0], [1.0, 0.0], [4.0, 0.0], [10.0, 10.0], [10.0, 13.0]])
BETA = np.array(
    [
        [0.7, 0.2, 0.1],
        [0.9, 0.05, 0.05],
        [0.6, 0.3, 0.1],
        [0.2, 0.25, 0.55],
        [0.1, 0.1, 0.8],
    ]
)
MU = np.array([[1.5, 0.0], [99.0, 99.0], [10.0, 11.0]])


class TestCentroidAndFarthest:
    def test_each_component_gives_its_mean_and_the_member_farthest_from_it(self):
        atoms, components, pixels = centroid_and_farthest(Z, BETA, MU)
        np.testing.assert_array_equal(atoms, [MU[0], Z[2], MU[2], Z[4]])
        assert components.tolist() == [0, 0, 2, 2]
        assert pixels.tolist() == [-1, 2, -1, 4]

    def test_farthest_is_among_members_only(self):
        # Pixel 4 is the farthest of all from component 0, and not its member.
        assert centroid_and_farthest(Z, BETA, MU).pixels[1] == 2

    def test_distance_is_from_the_given_mean_not_from_the_members_average(self):
        moved = MU.copy()
        moved[0] = [5.0, 0.0]  # eq. (10) weighs all pixels, so it need not be among members
        assert centroid_and_farthest(Z, BETA, moved).pixels[1] == 0

    def test_a_tie_in_distance_takes_the_first_pixel(self):
        z = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
        beta = np.ones((3, 1))
        assert centroid_and_farthest(z, beta, np.zeros((1, 2))).pixels.tolist() == [-1, 0]

    def test_a_tie_in_assignment_goes_to_the_first_component(self):
        beta = np.full((2, 2), 0.5)
        assert centroid_and_farthest(Z[:2], beta, MU[:2]).components.tolist() == [0, 0]

    def test_a_component_of_one_pixel_gives_that_pixel(self):
        beta = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
        chosen = centroid_and_farthest(Z[:3], beta, MU[:2])
        np.testing.assert_array_equal(chosen.atoms[3], Z[2])


class TestExtremeAssignments:
    def test_each_component_gives_its_largest_and_smallest_assignment(self):
        atoms, components, pixels = extreme_assignments(Z, BETA)
        assert components.tolist() == [0, 0, 2, 2]
        assert pixels.tolist() == [1, 2, 4, 3]
        np.testing.assert_array_equal(atoms, Z[[1, 2, 4, 3]])

    def test_smallest_is_among_members_only(self):
        # 0.1 of pixel 4 is component 0's smallest entry, but pixel 4 belongs to component 2.
        assert extreme_assignments(Z, BETA).pixels[1] == 2

    def test_a_saturated_one_in_an_earlier_row_of_another_component_is_taken(self):
        # The release searches the whole matrix for the value: component 1's largest is
        # exactly 1.0, and the first 1.0 anywhere is pixel 0's, a member of component 0.
        beta = np.array([[1.0, 0.0], [0.8, 0.2], [0.0, 1.0], [0.3, 0.7]], np.float32)
        chosen = extreme_assignments(Z[:4], beta)
        assert chosen.components.tolist() == [0, 0, 1, 1]
        assert chosen.pixels.tolist() == [0, 1, 0, 3]
        np.testing.assert_array_equal(chosen.atoms[2], Z[0])

    def test_the_smallest_value_is_looked_up_in_every_column_too(self):
        # Component 1's smallest is 0.75, which pixel 0 holds in column 0.
        beta = np.array([[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]], np.float32)
        assert extreme_assignments(Z[:3], beta).pixels.tolist() == [0, 0, 1, 0]

    def test_a_value_held_by_a_pixel_that_is_nobodys_member_of_that_column(self):
        # Row 0 holds 0.375 in column 2, where it is not the largest.
        beta = np.array([[0.625, 0.0, 0.375], [0.375, 0.3125, 0.3125]], np.float32)
        assert extreme_assignments(Z[:2], beta).pixels.tolist() == [0, 0]

    def test_ties_are_exact(self):
        beta = np.array([[1.0, 0.0], [0.8, 0.2], [0.0, 1.0], [0.3, 0.7]], np.float32)
        beta[0, 0] = np.nextafter(np.float32(1), np.float32(0))
        assert extreme_assignments(Z[:4], beta).pixels.tolist() == [0, 1, 2, 3]

    def test_a_component_of_one_pixel_gives_it_twice(self):
        beta = np.array([[0.9, 0.1], [0.8, 0.2], [0.15, 0.85]])
        assert extreme_assignments(Z[:3], beta).pixels.tolist() == [0, 1, 2, 2]

    def test_the_precision_of_the_latent_samples_is_kept(self):
        assert extreme_assignments(Z.astype(np.float32), BETA).atoms.dtype == np.float32


class TestKmeans:
    BLOBS = np.concatenate(
        [np.random.default_rng(0).normal(c, 0.1, size=(30, 2)) for c in ((0, 0), (9, 0), (0, 9))]
    )

    def test_clusters_that_lie_apart_are_found_with_their_means(self):
        assigned, means = kmeans_assignments(self.BLOBS, 3, seed=0)
        groups = assigned.argmax(axis=1).reshape(3, 30)
        assert (groups == groups[:, :1]).all() and len(set(groups[:, 0])) == 3
        for group, blob in zip(groups[:, 0], self.BLOBS.reshape(3, 30, 2), strict=True):
            np.testing.assert_allclose(means[group], blob.mean(axis=0))
        assert set(np.unique(assigned)) == {0, 1} and (assigned.sum(axis=1) == 1).all()

    def test_no_step_of_lloyd_improves_on_it(self):
        z = np.random.default_rng(1).normal(size=(200, 3))
        assigned, means = kmeans_assignments(z, 5, seed=3)
        nearest = np.linalg.norm(z[:, None] - means, axis=2).argmin(axis=1)
        assert np.mean(nearest == assigned.argmax(axis=1)) > 0.99

    def test_the_seed_decides_and_nothing_else(self):
        z = np.random.default_rng(1).normal(size=(300, 3))
        first = kmeans_assignments(z, 7, seed=2**63)
        again, other = kmeans_assignments(z, 7, seed=2**63), kmeans_assignments(z, 7, seed=1)
        np.testing.assert_array_equal(again[0], first[0])
        np.testing.assert_array_equal(again[1], first[1])
        assert not np.array_equal(other[0], first[0])

    @pytest.mark.filterwarnings("ignore:Number of distinct clusters")
    def test_fewer_different_samples_than_clusters(self):
        z = np.repeat(np.eye(2), 4, axis=0)
        assigned, means = kmeans_assignments(z, 3, seed=0)
        chosen = centroid_and_farthest(z, assigned, means)
        assert len(chosen.atoms) == 4 and np.isfinite(chosen.atoms).all()


class TestSpectra:
    X = np.arange(15.0).reshape(5, 3) ** 2

    def test_a_pixel_gives_its_spectrum_and_a_centroid_the_weighted_mean(self):
        chosen = as_spectra(centroid_and_farthest(Z, BETA, MU), self.X, BETA)
        means = [BETA[:, k] @ self.X / BETA[:, k].sum() for k in (0, 2)]
        np.testing.assert_allclose(chosen.atoms, [means[0], self.X[2], means[1], self.X[4]])
        assert chosen.pixels.tolist() == [-1, 2, -1, 4]
        assert chosen.components.tolist() == [0, 0, 2, 2]

    def test_without_centroids(self):
        chosen = as_spectra(extreme_assignments(Z, BETA), self.X, BETA)
        np.testing.assert_array_equal(chosen.atoms, self.X[[1, 2, 4, 3]])

    def test_a_component_without_weight_harms_nobody(self):
        beta = BETA * [1, 0, 1]
        chosen = as_spectra(centroid_and_farthest(Z, beta, MU), self.X, beta)
        assert np.isfinite(chosen.atoms).all()


@pytest.mark.parametrize("n", [1, 2, 300])
def test_both_rules_give_two_atoms_per_component_with_members(n):
    rng = np.random.default_rng(n)
    z, beta = rng.normal(size=(n, 4)), rng.dirichlet(np.full(6, 0.3), size=n)
    present = np.unique(beta.argmax(axis=1))
    for chosen in (
        centroid_and_farthest(z, beta, rng.normal(size=(6, 4))), extreme_assignments(z, beta)
    ):
        assert chosen.atoms.shape == (2 * len(present), 4)
        assert chosen.components.tolist() == np.repeat(present, 2).tolist()
        assert chosen.pixels.shape == (2 * len(present),)
        copied = chosen.pixels >= 0
        np.testing.assert_array_equal(chosen.atoms[copied], z[chosen.pixels[copied]])
