"""The figures of docs/uses.md, from what was measured and recorded; never from anywhere else."""

from __future__ import annotations

from scripts.figures import recorded, unmeasured

_KINDS = {
    "upscale_4": ("four times fewer rows and columns", "bicubic"),
    "colorize": ("grey", "grey as it is"),
    "inpaint": ("a square of 24 pixels is missing", "mean of the known"),
    "denoise": ("noise of a tenth of the range", "median filter"),
}
"""What is given, and the trivial way, by the measurement's names."""


def restorations() -> str:
    """The table of restorations, the trivial way beside them."""
    if not (report := recorded("uses")):
        return unmeasured("python -m bench uses")
    header = ("Given", "Trivial way", "MSE e-4", "PSNR dB", "Perceptual", "Judge's error %", "Match dB")
    rows = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for name, (given, trivial) in _KINDS.items():
        each = report[name]
        cells = [
            given,
            trivial,
            *(
                f"{scale * each[key]:.{digits}f} / {scale * each[f'baseline_{key}']:.{digits}f}"
                for key, scale, digits in (
                    ("mse", 1e4, 1),
                    ("psnr", 1, 1),
                    ("perceptual", 1, 3),
                    ("judge_error", 1, 1),
                )
            ),
            f"{each['match_psnr']:.1f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def colours() -> str:
    """What colours come to in squares, what no answer comes below, and whether the goal is met."""
    if not (report := recorded("uses")):
        return unmeasured("python -m bench uses")
    each = report["colorize"]
    error, grey, least = (1e4 * each[name] for name in ("mse", "baseline_mse", "least_mse"))
    met = "meets its goal" if error <= grey / 2 else "is short of its goal"
    return (
        f"In squares a coloured drawing {met}, half of what grey has: {error:.0f}e-4 against {grey:.0f}e-4. "
        f"No answer comes below {least:.0f}e-4 on average, even one that knew all of a drawing but its hues."
    )
