"""`python -m phantastic`, the same as the command `phantastic`."""

import sys

from phantastic.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
