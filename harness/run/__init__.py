"""The steps of `eval` in order, and what `doctor` looks at."""
