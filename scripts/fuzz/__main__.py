"""`python -m scripts.fuzz`: send a service changed requests of every method and pictures of every format.

It ends with a report in JSON, and with 1 where the service failed, warned, ended or grew. Requests that it
failed at are written to files, which `--replay` sends again.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path

import grpc

from scripts.fuzz.campaign import Outcome, run_campaign
from scripts.fuzz.requests import Probe
from scripts.fuzz.target import running_target, send

_TELL_EVERY = 1000


def main() -> int:
    """Run a campaign, or send again what is in files."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fuzz", description="Requests changed at random.")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="folder of report and requests")
    parser.add_argument("--replay", type=Path, nargs="+", help="files of requests to send again")
    arguments = parser.parse_args()
    if arguments.replay:
        return _replay(arguments.replay)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with running_target() as target:
        outcome = run_campaign(target, seed=arguments.seed, count=arguments.requests, tell=_tell)
    report = {"seed": arguments.seed, **outcome.report()}
    _write_faults(outcome, arguments.out)
    (arguments.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 0 if outcome.sound and outcome.count == arguments.requests else 1


def _replay(files: list[Path]) -> int:
    """Send requests again, and say what they are answered with, and what the service logs."""
    with running_target() as target:
        with grpc.insecure_channel(target.address) as channel:
            answers = [send(channel, _read_probe(file)) for file in files]
        complaints = target.complaints()
    for file, answer in zip(files, answers, strict=True):
        print(f"{file}: {answer.code.name} {answer.details} {dict(answer.refusals) or ''}")
    print("\n".join(complaints))
    return 0 if all(answer.deserved for answer in answers) and not complaints else 1


def _write_faults(outcome: Outcome, folder: Path) -> None:
    for number, (probe, _) in outcome.faults.items():
        messages = [base64.b64encode(message).decode() for message in probe.messages]
        text = json.dumps({"method": probe.method, "messages": messages}, indent=2)
        (folder / f"{number}.json").write_text(text + "\n")


def _read_probe(file: Path) -> Probe:
    fields = json.loads(file.read_text())
    return Probe(fields["method"], tuple(map(base64.b64decode, fields["messages"])))


def _tell(number: int) -> None:
    if number and number % _TELL_EVERY == 0:
        print(number, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
