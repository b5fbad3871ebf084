"""The shapes of answers, for the OpenAPI document and the clients generated from it.

Answers themselves are not made of these: documents are served as they are stored. Tests hold the
one against the other, with no field more or less on either side.
"""
