"""Are groups of people treated alike?"""
