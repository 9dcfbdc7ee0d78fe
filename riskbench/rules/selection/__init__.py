"""What do events that history stopped hide from a rule's figures, and how may a few be let through to see?"""
