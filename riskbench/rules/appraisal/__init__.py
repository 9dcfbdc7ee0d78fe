"""What is each rule worth given all the others, and what would any change of setting do?"""
