"""Two photos and their cameras in, how the second camera stands to the first out.

Features, matches, the five-point estimate, the test for a camera that only turned, and how likely
the answer is right. Below the tasks, because more than one of them asks.
"""
