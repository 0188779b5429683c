# Delivery channels in the box: log.py
