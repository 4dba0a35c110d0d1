"""The score of an image is the share of genuine ones that lie at least as far out."""

from __future__ import annotations

import numpy as np
import pytest

from relatent.core.domain import Domain, cycle, domain_table, measured, read_domain


def test_the_score_is_the_share_of_genuine_images_that_are_as_far_out() -> None:
    random = np.random.default_rng(3)
    genuine = np.exp(random.normal(np.log(0.05), 0.3, 20_000))
    domain = measured(genuine)
    assert domain.typical_cycle == pytest.approx(0.05, rel=0.02)
    for away in (0.03, 0.05, 0.08):
        assert domain.score(away) == pytest.approx((genuine >= away).mean(), abs=0.02)
    assert (np.array([domain.score(each) for each in genuine]) < 0.01).mean() == pytest.approx(
        0.01, abs=0.003
    )


def test_scores_fall_with_the_distance_and_stay_numbers() -> None:
    domain = Domain(0.05, 0.2, 64)
    scores = [domain.score(away) for away in (0.0, 0.01, 0.05, 0.1, 1.0, 1e6)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1)
    assert domain.score(0.05) == pytest.approx(0.5)
    assert scores[-1] >= 0


def test_the_cycle_is_a_root_mean_square() -> None:
    code = np.zeros((2, 3), np.float32)
    assert cycle(code, code + 2) == pytest.approx(2)


def test_a_table_reads_back_and_one_that_is_none_is_refused_by_its_entry() -> None:
    domain = Domain(0.05, 0.2, 64)
    assert read_domain(domain_table(domain)) == domain
    for name, value in (("typical_cycle", 0.0), ("deviation", float("nan"))):
        with pytest.raises(ValueError, match=rf"domain\.{name}: expected a finite number above 0"):
            read_domain({**domain_table(domain), name: value})
