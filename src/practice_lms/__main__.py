"""`python -m practice_lms` is the same as `practice-lms`."""

import sys

from practice_lms.cli import main

if __name__ == "__main__":
    sys.exit(main())
