"""`python -m relatent_service`, which `relatent serve` becomes."""

import sys

from relatent_service.arithmetic import use_one_thread

if __name__ == "__main__":
    use_one_thread()

    # After that, as it imports NumPy; and before all that serving needs is imported: --help works without.
    from relatent_service.settings import read_settings

    settings = read_settings(sys.argv[1:])

    from relatent_service.main import main

    raise SystemExit(main(settings))
