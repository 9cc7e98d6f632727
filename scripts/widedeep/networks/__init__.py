"""Network families, the layers of a network by name, and the precision in which networks run.

Section 3 of the paper, models. Imports `runtime` and `names`.
"""
