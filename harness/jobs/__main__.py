"""`python -m harness.jobs STORE CHECKPOINT_SECONDS`: a worker that takes keys on stdin. Engines start it."""

import sys

from harness.jobs.run import main

main(sys.argv[1:])
