"""A scene in memory: values, valid pixels, bands, georeference."""
