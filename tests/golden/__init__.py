"""Golden check: our engine against maps recorded from the authors' code (see README.md for the format).

`python -m tests.golden FOLDER [--only PREFIX ...]` reads any folder of that format. weights: rebuilds the
models; folder: reads cases and files; recipes: the table of which computation answers which key, filled by
the modules that compare imports; compare: the verdict.
"""
