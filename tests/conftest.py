"""Settings for all tests."""

from hypothesis import settings

# A busy machine is not a bug: how long an example takes says nothing about it.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
