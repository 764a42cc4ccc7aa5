"""The outside checker: recomputes what the services keep from the ledger and the topics, sharing no code with them.

It imports neither services nor shared: a fault in what they share would else be invisible here.
"""
