"""How does a rule go live, and may it go on?"""
