"""A scene in memory: values, validity, bands, georeference."""
