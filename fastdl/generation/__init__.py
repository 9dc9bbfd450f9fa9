"""From image creatives to a GAN in a run folder, and new images from it.

``job``: what is asked for; ``recipe``: how the networks are made and trained; ``pipeline``: the
training and all that is kept of it; ``trained``: the generator of a run folder; ``generate``: new
images as files; ``commands``: all of it on the command line.
"""
