"""Which new rules, and which exceptions from old ones, does the data suggest?"""
