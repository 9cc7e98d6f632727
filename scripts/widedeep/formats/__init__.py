"""The files of a study, a module each: what is in it, how it is written, read and checked.

Computes nothing. Imports `runtime`, `names`, `networks` and `measures`.
"""
