"""What a study costs, what fits into a time, how far it is, and whether its results are whole.

Imports `study` and what stands before it.
"""
