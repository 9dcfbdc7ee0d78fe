"""What changes between two books, and who signs for it?"""
