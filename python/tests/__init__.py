"""Tests of the package glexec, run in a private test site as an account of a pilot (tests/system/python.rs)."""
