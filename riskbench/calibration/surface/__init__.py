"""What would every setting of two parameters do?"""
