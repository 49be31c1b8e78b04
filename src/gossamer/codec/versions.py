"""The versions of the format that there are."""

VERSIONS = (1, 2, 3, 4, 5, 6)
NEWEST = VERSIONS[-1]
