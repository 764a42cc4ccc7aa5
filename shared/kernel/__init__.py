"""What the rules of every service share: pure words and checks of the field, standard library only (ADR 7).

Domains may import this package and nothing else of `shared`. What stands here has one meaning in the whole system; a rule
that only one service has stays in its `domain/`.
"""
