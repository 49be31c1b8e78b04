"""Criteria: how much each weight matters. One signature, one table (`registry`)."""
