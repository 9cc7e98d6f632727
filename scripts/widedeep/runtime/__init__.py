"""Command lines, atomic files, locks, interruption, logs and provenance: the needs of every program.

Imports nothing else of the project. Nothing here decides a number, so an edit reruns no job (study/fingerprint.py).
"""
