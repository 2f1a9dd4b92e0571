"""LTI 1.0, 1.1 and 1.2: launches signed with a shared secret, grades by Basic Outcomes."""
