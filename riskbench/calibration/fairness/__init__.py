"""What would it cost to treat groups of people alike?"""
