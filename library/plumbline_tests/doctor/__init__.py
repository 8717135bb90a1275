"""Proofs of the doctor: the examples of its pages, more of their kind, and false alarms."""
