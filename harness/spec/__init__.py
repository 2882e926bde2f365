"""What a user writes, as checked models: a YAML file becomes a spec, and the specs a catalog.

template, formats, languages         what fields are made of
split_part, sampler                  what a running job needs of a task and of a suite
task, encoder, recipe, suite         the models, and what they say about themselves
reader, explain                      a file into a model; each mistake with its place and its cure
catalog                              all specs by name, and whether they name each other rightly
changes                              what a command line changes in a suite
describe                             specs as `list` and `show` print them
"""
