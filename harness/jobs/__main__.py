"""`python -m harness.jobs STORE CHECKPOINT_SECONDS`: a worker that takes keys on stdin. Engines
start it."""

import sys

from harness.jobs.channel import take

channel = take()  # first of all: what the imports print is for the log

from harness.jobs.run import main  # noqa: E402

main(sys.argv[1:], channel)
