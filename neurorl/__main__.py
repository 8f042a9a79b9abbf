"""Run the command line by ``python -m neurorl``."""

import sys

from neurorl.cli import main

if __name__ == "__main__":
    sys.exit(main())
