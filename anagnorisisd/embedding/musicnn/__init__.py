"""MusiCNN: a small convolutional network trained on the Million Song Dataset to predict tags.

`plan` decides in the parent how its vectors are made and makes them in the workers; `network` is
the network in numpy; `weights` cuts its arrays out of the published wheel, stores and verifies
them.
"""
