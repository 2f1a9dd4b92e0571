"""`python -m courseway` is the same as `courseway`."""

import sys

from courseway.cli import main

if __name__ == "__main__":
    sys.exit(main())
