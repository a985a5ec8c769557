"""What happens around a step of training: the plain loop (loop.py), and the one by Lightning (trainer.py), with
checkpoints, several processes and a word to those who watch. A step itself is fm/objectives.
"""
