"""What each stage's result depends on: its settings, and the code that it comes to, whose words do not count.

Stage `resolve` writes it down (pipelines/resolve.py), and the other stages depend on their file of it.
"""
