"""A suite as a graph of jobs: `planner` makes it, `estimate` says what it costs, `shown` how it
looks."""
