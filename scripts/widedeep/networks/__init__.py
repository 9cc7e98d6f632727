"""The network families, the layers of a network by name, and the precision in which a network is run.

The paper's section 3, models. Imports `runtime` and `names`.
"""
