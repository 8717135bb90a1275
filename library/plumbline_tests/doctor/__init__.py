"""Proofs of the doctor: each rule on its page's examples, on more of its kind, and on false alarms."""
