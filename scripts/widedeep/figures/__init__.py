"""Drawing: the paper's figures, and the explorer.

Imports `findings` and what stands before it.
"""
