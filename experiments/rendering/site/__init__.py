"""The documentation site: what `mkdocs.yml` builds beside the guides in `docs/`."""
