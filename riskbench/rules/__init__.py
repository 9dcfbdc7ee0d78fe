"""What would a rule book do, and what does it do today?"""
