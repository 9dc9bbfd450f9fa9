"""From image creatives to a trained classifier in a run folder, and what it says of others.

``job``: what is asked for; ``pipeline``: the training; ``trained``: the model of a run folder;
``predict``: what it says of images; ``commands``: all of it on the command line.
"""
