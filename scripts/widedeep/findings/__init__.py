"""The paper's claims, and the statistics that decide whether a study reproduces them.

Imports `analysis` and what stands before it.
"""
