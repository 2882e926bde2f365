"""A suite as a graph of jobs: `graph` is what it is, `planner` makes it, `estimate` says what it
costs, `shown` how it looks."""
