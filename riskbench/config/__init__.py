"""Which settings are in force?"""
