"""Measurements of Courseway, its floor and its peers, in one run on one machine: `make benchmark`."""
