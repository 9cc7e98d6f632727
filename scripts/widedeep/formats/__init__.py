"""The files of a study, one module each: content, writer, reader and checks.

Computes no results. Imports `runtime`, `names`, `paper`, `networks` and `measures`.
"""
