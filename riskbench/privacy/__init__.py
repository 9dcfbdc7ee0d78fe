"""What on a page could tell who somebody is, and how is it hidden?"""
