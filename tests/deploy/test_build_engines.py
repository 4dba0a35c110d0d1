"""`deploy/build-engines` against a stand-in for docker: what it calls, what it waits for, how it fails."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "build-engines"
CONTAINER = "3f29c1"

DOCKER = f"""#!/bin/sh
for word in "$@"; do printf '%s\\n' "$word"; done >> "$CALLS"
echo . >> "$CALLS"
case "$1" in
    run)
        case " $* " in
            *" nvidia-smi "*) [ "$GPU" = yes ] || exit 125; echo "GPU 0: a pretended one" ;;
            *) [ "$START" = yes ] || exit 125; echo {CONTAINER} ;;
        esac ;;
    exec)
        echo . >> "$ASKED"
        [ "$READY_AT" -gt 0 ] && [ "$(wc -l < "$ASKED")" -ge "$READY_AT" ] || exit 22
        [ -z "$ENGINE" ] || {{ mkdir -p "${{ENGINE%/*}}"; echo engine > "$ENGINE"; }} ;;
    inspect) echo "$RUNNING" ;;
    logs) echo "what the server said" ;;
esac
"""


class Place:
    """A PATH with a pretended docker and no waiting, and a repository with one model."""

    def __init__(self, folder: Path, config: str) -> None:
        self.bin, self.calls, self.repository = folder / "bin", folder / "calls", folder / "my models"
        self.bin.mkdir()
        self._add("docker", DOCKER)
        self._add("sleep", "#!/bin/sh\n")
        for tool in ("awk", "cat", "du", "find", "grep", "id", "mkdir", "wc"):
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        model = self.repository / "demo_encode"
        model.mkdir(parents=True)
        (model / "config.pbtxt").write_text(config)
        self.engine = model / "1" / "engines-0123456789ab" / "graph.engine"
        self.environment = {
            "PATH": str(self.bin),
            "CALLS": str(self.calls),
            "ASKED": str(folder / "asked"),
            "GPU": "yes",
            "START": "yes",
            "RUNNING": "true",
            "READY_AT": "3",
            "ENGINE": str(self.engine),
        }

    def _add(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        command = ["/bin/sh", str(SCRIPT), *(arguments or ("triton:24.10", str(self.repository)))]
        environment = {**self.environment, **changed}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def called(self) -> list[list[str]]:
        """The pretended docker's calls, each as its words."""
        calls: list[list[str]] = [[]]
        for word in self.calls.read_text().splitlines() if self.calls.exists() else []:
            if word == ".":
                calls.append([])
            else:
                calls[-1].append(word)
        return calls[:-1]

    def stopped(self) -> bool:
        return [call for call in self.called() if call[0] in ("stop", "rm")] == [
            ["stop", CONTAINER],
            ["rm", "--force", CONTAINER],
        ]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    accelerator = 'gpu_execution_accelerator {\n      name: "tensorrt"\n    }\n'
    return Place(tmp_path, f"optimization {{\n  execution_accelerators {{\n    {accelerator}  }}\n}}\n")


def test_it_serves_until_ready_stops_what_it_started_and_tells_what_was_built(place: Place) -> None:
    built = place.run()
    assert built.returncode == 0, built.stderr
    assert "1 engines, " in built.stdout
    assert place.stopped()
    calls = place.called()
    assert [call[0] for call in calls] == [
        "run",
        "run",
        "exec",
        "inspect",
        "exec",
        "inspect",
        "exec",
        "stop",
        "rm",
    ]
    assert calls[0] == shlex.split("run --rm --gpus all --entrypoint nvidia-smi triton:24.10 -L")
    assert [call[1] for call in calls if call[0] == "exec"] == [CONTAINER] * 3


def test_the_server_has_the_repository_the_gpus_and_no_port_of_the_host(place: Place) -> None:
    place.run()
    call = place.called()[1]
    assert "--detach" in call
    assert call[call.index("--gpus") + 1] == "all"
    assert call[call.index("--mount") + 1] == f"type=bind,source={place.repository},target=/models"
    assert call[call.index("triton:24.10") + 1 :][:2] == ["tritonserver", "--model-repository=/models"]
    assert not {"--publish", "-p", "--publish-all", "--network"} & set(call)


def test_without_docker_it_says_so(place: Place) -> None:
    (place.bin / "docker").unlink()
    failed = place.run()
    assert failed.returncode == 1
    assert failed.stderr == "build-engines: docker is not installed\n"


def test_without_a_gpu_nothing_is_started(place: Place) -> None:
    failed = place.run(GPU="no")
    assert failed.returncode == 1
    assert "docker shows no GPU to triton:24.10" in failed.stderr
    assert len(place.called()) == 1


def test_a_server_that_cannot_be_started_is_told(place: Place) -> None:
    failed = place.run(START="no")
    assert failed.returncode == 1
    assert "docker could not start triton:24.10" in failed.stderr
    assert len(place.called()) == 2


def test_a_server_that_ends_early_is_told_with_what_it_said(place: Place) -> None:
    failed = place.run(READY_AT="0", RUNNING="false")
    assert failed.returncode == 1
    assert "what the server said" in failed.stderr
    assert "the server ended before it was ready" in failed.stderr
    assert place.stopped()


def test_a_server_that_is_never_ready_is_given_up(place: Place) -> None:
    failed = place.run(READY_AT="0", BUILD_SECONDS="20")
    assert failed.returncode == 1
    assert "not ready after 20 seconds" in failed.stderr
    assert len([call for call in place.called() if call[0] == "exec"]) == 5  # at 0, 5, 10, 15 and 20 s
    assert place.stopped()


def test_a_wait_that_is_broken_off_stops_the_server(place: Place) -> None:
    (place.bin / "sleep").write_text("#!/bin/sh\nkill -TERM $PPID\n")
    assert place.run(READY_AT="0").returncode == 143
    assert place.stopped()


def test_a_server_that_kept_no_engine_is_no_success(place: Place) -> None:
    failed = place.run(ENGINE="")
    assert failed.returncode == 1
    assert "kept no engine" in failed.stderr
    assert place.stopped()


@pytest.mark.parametrize("arguments", [("triton:24.10",), ("triton:24.10", "a", "b")])
def test_it_says_what_it_expects(place: Place, arguments: tuple[str, ...]) -> None:
    failed = place.run(*arguments)
    assert failed.returncode == 1
    assert "expected an image and a model repository" in failed.stderr


def test_a_repository_for_another_target_is_refused(place: Place) -> None:
    (place.repository / "demo_encode" / "config.pbtxt").write_text('name: "demo_encode"\n')
    failed = place.run()
    assert failed.returncode == 1
    assert f"{place.repository}: no model in it was exported with --target tensorrt" in failed.stderr
    assert place.called() == []


def test_a_folder_that_is_not_there_is_named(place: Place) -> None:
    failed = place.run("triton:24.10", "nowhere")
    assert failed.returncode == 1
    assert failed.stderr == "build-engines: nowhere: no such folder\n"


def test_a_time_that_is_no_number_is_refused(place: Place) -> None:
    failed = place.run(BUILD_SECONDS="soon")
    assert failed.returncode == 1
    assert "BUILD_SECONDS: expected a whole number, got soon" in failed.stderr
