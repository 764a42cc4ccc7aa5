"""The rules of development rights: plans, windows, who goes first, what an agreement means."""
