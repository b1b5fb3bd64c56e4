"""The ledger ``ops.files``: what became of every file that landed.

Bronze and silver write it; silver, gold, readiness and traces read it. So it is a room of its own below all of them.
"""
