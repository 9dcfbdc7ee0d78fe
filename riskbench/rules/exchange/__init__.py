"""How do rules leave for other systems and come from them, and is what arrives the same?"""
