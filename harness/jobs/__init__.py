"""What a job does: `train` (the loop, for intermediates and targets alike), `evaluate`, `overlap`;
`pvi` and `select` measure how hard an intermediate and its rows are.

A job is a JSON file that a plan wrote and any worker can run: `xstilts-harness job run KEY`. It
reads its inputs through the store, writes files into a working directory, and `run` commits them:
complete or absent.
"""
