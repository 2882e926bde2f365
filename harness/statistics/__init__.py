"""From evidence to scores, gains, intervals, averages, difficulty, and easy against hard: pure
functions."""
