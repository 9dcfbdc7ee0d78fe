"""How is a rule text read, and which events does it hit?"""
