"""Practice LMS: a small learning management system for trying out LTI tools, for demos and for tests.

It is a program of its own: own process, own database, and no code shared with the tool it talks to, so that a mistake
cannot hide by being made on both sides. It signs LTI 1.1 with oauthlib and LTI 1.3 with joserfc.
"""
