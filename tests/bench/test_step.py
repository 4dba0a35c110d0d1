from bench import step
from bench.settings import Settings


def test_the_graph_and_the_loops_do_the_same_work_and_both_are_timed() -> None:
    """On the bundled pack, whose weights exist in both forms."""
    report = step.run(Settings(quick=True))
    for batch in ("batch_1", "batch_8"):
        figures = report[batch]
        assert figures["largest_loss_difference"] < 0.01
        assert figures["gflop_a_step"] > 0
        # No upper bound: on a busy machine one product may be slowed more than a step's mean.
        assert figures["share_of_machine"]["onnxruntime"]["median"] > 0
        assert set(figures["seconds_a_step"]) == {"onnxruntime", "pytorch", "pytorch_wasteful"}
    assert report["speedup_batch_8"] == report["batch_8"]["speedup"]["median"]
