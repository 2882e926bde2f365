"""From committed results to a board.

collect    a plan and its results → declared facts and evidence      derive   those → scores, gains, intervals
release    numbered, immutable documents                              verify   derive again, and compare
upgrade    older documents in the present shape                       diff, export
tables, explained, words → render (terminal, Markdown) and page (HTML)
"""
