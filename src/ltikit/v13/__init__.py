"""LTI 1.3: sign-in, launches, keys, access tokens and the Advantage services."""
