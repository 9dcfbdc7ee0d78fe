"""Which cut does each region get, when small ones lean on all?"""
