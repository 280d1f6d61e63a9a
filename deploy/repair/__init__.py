"""Repair: dead letters that go through again, and topics that are read again."""
