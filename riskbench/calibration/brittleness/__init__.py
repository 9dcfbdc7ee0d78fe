"""How firm is a cut?"""
