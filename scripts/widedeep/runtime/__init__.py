"""What every program needs, whatever it computes: command line, atomic files, locks, interruption, provenance.

Imports nothing of the project but its own modules. Nothing here decides a number, so an edit reruns no job
(study/fingerprint.py).
"""
