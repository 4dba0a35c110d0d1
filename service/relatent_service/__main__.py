"""`python -m relatent_service`, which `relatent serve` becomes."""

import sys

from relatent_service.settings import read_settings

if __name__ == "__main__":
    # Before all that serving needs is imported: --help works without.
    settings = read_settings(sys.argv[1:])

    from relatent_service.main import main

    raise SystemExit(main(settings))
