"""Where should the cut be?"""
