"""The measurements themselves: arithmetic, choices, what they write."""
