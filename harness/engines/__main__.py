"""`python -m harness.engines STORE RUN NAME`: one agent of a run. A scheduler starts it."""

import sys

from harness.engines.agent import main

main(sys.argv[1:])
