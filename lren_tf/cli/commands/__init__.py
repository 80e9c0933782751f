"""Commands of ``lren-tf``, one module each."""
