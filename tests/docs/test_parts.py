import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_the_documentation_takes_from_code_and_figures_is_current() -> None:
    command = [sys.executable, "-m", "scripts.write_docs", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
