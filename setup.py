"""Everything is declared in setup.cfg; this file lets tools that expect it find it."""

from setuptools import setup

setup()
