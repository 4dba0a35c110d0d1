"""`python -m relatent`: the command line."""

import sys

from relatent.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
