"""Which edits of a book would pay?"""
