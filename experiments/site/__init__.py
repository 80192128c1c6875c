"""The documentation as a site: what people wrote, and references made from code and data."""
