import numpy as np
import pytest

from bench.graphs import Graphs
from bench.measurement import BenchSettings
from relatent.core.pack import read_pack
from relatent_export.analysis.refining import ExportedRefinement


@pytest.fixture
def graphs(settings: BenchSettings) -> Graphs:
    return Graphs(read_pack(settings.packs / settings.pack), settings.repository)


def test_refinement_does_as_many_steps_as_told_in_as_many_calls_as_that_takes(graphs: Graphs) -> None:
    images = graphs.sample(3, seed=1)
    refinement = ExportedRefinement(graphs, graphs.encode(images), images, learning_rate=0.02)
    refinement.advance(10)  # the graph does 4 at a time
    assert refinement.losses.shape == (3, 10)
    assert np.isfinite(refinement.losses).all()
    assert refinement.state["step"].tolist() == [[10.0], [10.0], [10.0]]


def test_refinement_brings_the_image_of_the_best_code_nearer(graphs: Graphs) -> None:
    images = graphs.sample(4, seed=2)
    refinement = ExportedRefinement(graphs, graphs.encode(images), images, learning_rate=0.02)
    before = graphs.assess(refinement.codes, images)["perceptual"]
    refinement.advance(40)
    after = graphs.assess(refinement.codes, images)["perceptual"]
    assert (after < before / 2).all()


def test_samples_of_a_seed_are_the_same_every_time(graphs: Graphs) -> None:
    assert np.array_equal(graphs.sample(2, seed=3), graphs.sample(2, seed=3))
