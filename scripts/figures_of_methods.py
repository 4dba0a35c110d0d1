"""The figures of docs/methods.md, from what was measured and recorded; never from anywhere else."""

from __future__ import annotations

from math import prod

from relatent.core.pack import read_pack
from relatent.core.spaces import Space
from scripts.figures import ROOT, Report, recorded, unmeasured


def methods() -> str:
    """The table of all methods, PTI beside them."""
    if not (report := recorded("methods")):
        return unmeasured("python -m bench methods")
    header = (
        "Method",
        "MSE e-4",
        "PSNR dB",
        "SSIM",
        "Perceptual",
        "FID",
        "SWD",
        "Cycle",
        "Gain (judge)",
        "Leak % (judge)",
        "Bytes",
        "Passes",
        "Seconds",
    )
    rows = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    demo = read_pack(ROOT / "packs" / "demo")
    for name, each in report["methods"].items():
        rows.append(_row(f"`{name}`", each, demo.spaces[demo.methods[name].space].bytes))
    pti = report["pti"]
    rows.append(_row(f"PTI, {report['pti_images']} drawings", pti, pti["code_bytes"]))
    return "\n".join(rows)


def _row(name: str, row: Report, size: int) -> str:
    cells = [
        name,
        f"{1e4 * row['mse']:.2f}",
        f"{row['psnr']:.1f}",
        f"{row['ssim']:.3f}",
        f"{row['perceptual']:.4f}",
        f"{1e5 * row['fid']:.1f}e-5" if "fid" in row else "",
        f"{row['sliced_wasserstein']:.1f}" if "sliced_wasserstein" in row else "",
        f"{row['in_domain']:.2f}" if "in_domain" in row else "",
        f"{row['edit_gain']:.2f} ({row['judge_gain']:.2f})",
        f"{row['leak']:.1f} ({row['judge_leak']:.1f})",
        f"{size:,}",
        f"{row['passes']:,.0f}",
        f"{row['seconds']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def trades() -> str:
    """What the domain's weight, one code alone, and fewer steps of `feature` come to."""
    if not (report := recorded("methods")):
        return unmeasured("python -m bench methods")
    rows = [
        "| `in_domain`, weight of `domain` | MSE e-4 | Perceptual | Cycle | Gain (judge) | Leak % (judge) |",
        "|---|---|---|---|---|---|",
    ]
    for weight, row in report["in_domain_trade"].items():
        gain = f"{row['edit_gain']:.2f} ({row['judge_gain']:.2f})"
        leak = f"{row['leak']:.1f} ({row['judge_leak']:.1f})"
        rows.append(
            f"| {weight} | {1e4 * row['mse']:.2f} | {row['perceptual']:.4f} | {row['in_domain']:.2f} "
            f"| {gain} | {leak} |"
        )
    one, several, steps = report["multi_code_1"], report["methods"]["multi_code"], report["feature_steps"]
    told = (
        f"`multi_code` with its 10 codes has an MSE of {1e4 * several['mse']:.2f}e-4, with one code "
        f"{1e4 * one['mse']:.2f}e-4. `feature` has the perceptual distance that the hybrid has after 100 "
        f"steps, {steps['goal']:.4f}, in {steps['steps']} steps."
    )
    return "\n".join([*rows, "", told])


def domain() -> str:
    """How well the score tells drawings from other images."""
    if not (report := recorded("domain")):
        return unmeasured("python -m bench domain")
    rows = ["| Images | AUC | Median cycle | Score below 0.05 | below 0.01 |", "|---|---|---|---|---|"]
    for name, cycle in report["cycle"].items():
        found = report["auc"].get(name)
        refused = (report["refused_at"][least][name] for least in ("0.05", "0.01"))
        rows.append(
            f"| {name.replace('_', ' ')} | {'' if found is None else f'{found:.3f}'} | {cycle['median']:.3f} "
            f"| {' | '.join(f'{share:.1%}' for share in refused)} |"
        )
    return "\n".join(rows)


def code_bytes() -> str:
    """Bytes of a code of each space, of the demo's 64 pixels and of published sizes."""
    demo = read_pack(ROOT / "packs" / "demo")
    rows = ["| Space | 64 px, the demo | 256 px, 14 x 512 | 1024 px, 18 x 512 |", "|---|---|---|---|"]
    for space, parts in demo.spaces.items():
        sizes = [parts.bytes, _published(space, 14), _published(space, 18)]
        rows.append(f"| {space} | {' | '.join(f'{size:,}' for size in sizes)} |")
    return "\n".join(rows)


_STYLES = {14: 8_704, 18: 9_088}
"""Channels of all styles of a StyleGAN2 as published, by its layers."""


def _published(space: Space, layers: int) -> int:
    """Of a StyleGAN2 whose features have 512 channels up to 64 pixels."""
    code, channels = layers * 512 * 4, 512
    # Convolutions by the side of their features: one of 4 pixels, two of each side after it.
    residuals = channels * (4 * 4 + 2 * 8 * 8 + 2 * 16 * 16 + 32 * 32)
    match space:
        case Space.W:
            return 512 * 4
        case Space.W_PLUS:
            return code
        case Space.STYLE:
            return code + 4 * _STYLES[layers]
        case Space.FEATURE:
            return 2 * code + 2 * prod((channels, 64, 64))
        case Space.LAYERED:
            return 2 * code + 2 * prod((channels, 32, 32)) + 2 * residuals
        case Space.MULTI:
            return 10 * code + 10 * channels * 4
        case _:
            raise ValueError(space)
