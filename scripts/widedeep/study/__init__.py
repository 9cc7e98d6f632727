"""A study: its config, which networks each figure shows, and all jobs that make it.

Imports `figures` and what stands before it.
"""
