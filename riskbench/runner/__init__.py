"""Which playbook ran on what, and what came of it?"""
