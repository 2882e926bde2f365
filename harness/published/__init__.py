"""What papers and boards report, held against what is computed here.

spec.py         leaderboard/published/*.yaml: numbers with their sources, and the checks over them
cells.py        level 1, exact rerun: cells of a release, or of a scored submission, equal the
                printed ones
arithmetic.py   level 2: published averages follow from published cells, or do not
claims.py       level 3, rerun at scale: a release's intervals against a claim, by a margin set
                beforehand
report.py       the verdicts as table, JUnit XML and Markdown
"""
