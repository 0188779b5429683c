# Storage backends in the box: memory.py
