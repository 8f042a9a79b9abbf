"""Measure neurorl beside other libraries, and how it grows; make the pages and figures of both."""
